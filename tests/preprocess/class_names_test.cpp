#include "preprocess/class_names.hpp"

#include <gtest/gtest.h>

#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

using Names = std::vector<std::string>;

std::string failure(std::string_view text) {
  return failure_of([&] { parse_class_names(text, "names"); });
}

TEST(ClassNames, EveryFormatSaysTheSame) {
  const ClassNames expected = {{"n01440764", "tench"}, {"n02012849", "crane"}};
  for (const char* text :
       {"n01440764 tench, Tinca tinca\nn02012849 crane\n", "n01440764,tench\r\n\r\nn02012849,crane",
        "n01440764\ttench\nn02012849\tcrane\n", "n01440764,\"tench, Tinca tinca\"\nn02012849,crane\n",
        "\xEF\xBB\xBFn02012849 crane\nn01440764  tench\n", R"({"n01440764": "tench", "n02012849": "crane"})",
        R"( {"0": ["n01440764", "tench"], "1": ["n02012849", "crane"]})"}) {
    EXPECT_EQ(parse_class_names(text, "names"), expected) << text;
  }
}

TEST(ClassNames, AListNamesTheNumbersFromZero) {
  EXPECT_EQ(parse_class_names(R"(["cat", "dog"])", "names"), (ClassNames{{"0", "cat"}, {"1", "dog"}}));
}

TEST(ClassNames, CodesWithBlanksNeedATabOrJson) {
  EXPECT_EQ(parse_class_names("wild cat\tFelis silvestris, cat\n", "names"),
            (ClassNames{{"wild cat", "Felis silvestris"}}));
}

TEST(ClassNames, FaultsNameTheLine) {
  EXPECT_CONTAINS(failure(""), "an empty file");
  EXPECT_CONTAINS(failure("a x\nb\n"), "a class without a name · names:2");
  EXPECT_CONTAINS(failure("a x\na y\n"), "two names for 'a': 'x' and 'y' · names:2");
  EXPECT_CONTAINS(failure("{\"a\": 3}"), "neither a name nor a pair");
  EXPECT_CONTAINS(failure("{\"a\": "), "not JSON");
  EXPECT_CONTAINS(failure("a \xE9\n"), "not UTF-8");
}

TEST(ClassNames, TheOrderIsThatOfTheCodes) {
  EXPECT_EQ(renamed({"n1", "n2"}, {{"n2", "ant"}, {"n1", "zebra"}, {"n3", "other"}}, "names"), (Names{"zebra", "ant"}));
}

TEST(ClassNames, MissingOnesAreListed) {
  EXPECT_CONTAINS(failure_of([] {
                    renamed({"a", "b", "c"}, {{"b", "x"}}, "names");
                  }),
                  "2 of 3 classes have no name here: 'a', 'c' · names");
}

TEST(ClassNames, ANameOfTwoClassesGetsTheCodeToo) {
  EXPECT_EQ(renamed({"a", "b", "c"}, {{"a", "crane"}, {"b", "dog"}, {"c", "crane"}}, "names"),
            (Names{"crane (a)", "dog", "crane (c)"}));
  EXPECT_CONTAINS(failure_of([] {
                    renamed({"a", "b", "c"}, {{"a", "crane"}, {"b", "crane (a)"}, {"c", "crane"}}, "names");
                  }),
                  "two classes get the same name");
}

TEST(ClassNames, PathsGoByTheirLastPartIfNoOtherEndsInIt) {
  const Names classes = {"animals/cat", "animals/fox", "plants/cat", "plants/oak"};
  const ClassNames names = {{"cat", "Cat"}, {"fox", "Fox"}, {"oak", "Oak"}, {"animals/fox", "Vixen"}};
  const ClassNames found = with_names_of_last_parts(names, classes);
  EXPECT_EQ(found.at("plants/oak"), "Oak");
  EXPECT_EQ(found.at("animals/fox"), "Vixen");
  EXPECT_FALSE(found.contains("animals/cat") || found.contains("plants/cat"));
  EXPECT_EQ(with_names_of_last_parts(names, {"oak", "plants/oak"}), names);
}

}  // namespace
}  // namespace lockstep::preprocess
