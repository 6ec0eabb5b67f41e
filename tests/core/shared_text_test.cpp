#include "lockstep/core/shared_text.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <thread>
#include <vector>

namespace lockstep {
namespace {

TEST(SharedText, IsAPointerAndNothingMoreWhenEmpty) {
  static_assert(sizeof(SharedText) == sizeof(void*));
  for (const SharedText& text :
       {SharedText(), SharedText(""), SharedText(std::string()), SharedText(std::string_view())}) {
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(text.view(), "");
    EXPECT_STREQ(text.c_str(), "");
    EXPECT_EQ(text, SharedText());
  }
}

TEST(SharedText, CopiesShareTheirBytesAndOutliveTheFirst) {
  SharedText copy;
  {
    const SharedText first("train/cat/0001.jpg");
    copy = first;
    EXPECT_EQ(copy.view().data(), first.view().data());
  }
  EXPECT_EQ(copy, "train/cat/0001.jpg");
  SharedText moved = std::move(copy);
  copy = "another";
  EXPECT_EQ(moved, "train/cat/0001.jpg");
  const SharedText& same = moved;
  moved = same;  // to itself
  EXPECT_EQ(moved, "train/cat/0001.jpg");
  moved = {};
  EXPECT_TRUE(moved.empty());
}

TEST(SharedText, KeepsAnyBytes) {
  const std::string bytes("a\0b\xFF", 4);
  EXPECT_EQ(SharedText(bytes).str(), bytes);
  EXPECT_EQ(SharedText(bytes), SharedText(std::string_view(bytes)));
  EXPECT_NE(SharedText(bytes), SharedText("a"));
  EXPECT_STREQ(SharedText("ab").c_str(), "ab");
  EXPECT_EQ(SharedText(std::string(100'000, 'x')).view().size(), 100'000u);
}

TEST(SharedText, ComparesAsItsBytesDo) {
  const SharedText a("a"), b("b"), empty;
  EXPECT_TRUE(a < b && empty < a && a > empty && a <= "a" && "a" < b && std::string("b") == b && a != std::string("b"));
  EXPECT_LT(a, SharedText("a\xC3"));  // bytes are unsigned
  EXPECT_LT(SharedText("z"), SharedText("\xC3"));
}

TEST(SharedText, BecomesWhatIsWanted) {
  const SharedText text("cat");
  const std::string string = text;
  const std::string_view view = text;
  std::map<std::string, int> counts;
  ++counts[text];
  std::ostringstream out;
  out << text;
  EXPECT_EQ(string + std::string(view) + out.str(), "catcatcat");
  EXPECT_EQ(counts.at("cat"), 1);
  EXPECT_EQ(fmt::format("{} {:>5}", text, text), "cat   cat");
}

TEST(SharedText, CopiesMayComeAndGoOnManyThreads) {
  const SharedText text("of all");
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&text] {
      for (int round = 0; round < 20'000; ++round) {
        const std::vector<SharedText> copies(3, text);
        if (copies[2] != "of all") ADD_FAILURE() << copies[2];
      }
    });
  }
  threads.clear();
  EXPECT_EQ(text, "of all");
}

TEST(SharedTexts, GivesOneForEqualTexts) {
  SharedTexts texts;
  const SharedText first = texts("train"), other = texts("test"), again = texts(std::string("train"));
  EXPECT_EQ(first.view().data(), again.view().data());
  EXPECT_EQ(other, "test");
  EXPECT_TRUE(texts("").empty());
}

}  // namespace
}  // namespace lockstep
