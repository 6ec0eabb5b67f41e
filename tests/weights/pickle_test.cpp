#include "weights/pickle.hpp"

#include <gtest/gtest.h>

#include <set>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using namespace std::string_literals;
using Kind = PickleValue::Kind;

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool allowed(std::string_view name) { return name == "collections.OrderedDict" || name == "a.call"; }

std::string fault(const std::string& text) {
  try {
    const Pickle pickle(bytes_of(text), "w.pth", allowed);
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "w.pth");
    return error.message();
  }
  return "no error";
}

TEST(Pickle, NumbersAndTexts) {
  // (None, True, -2, 255, 65535, 2**40, -1, 2**80, 0.5, 'ä', b'x'), protocol 4
  const std::string text =
      "\x80\x04\x95\x47\0\0\0\0\0\0\0(N\x88J\xfe\xff\xff\xffK\xffM\xff\xff\x8a\x06\0\0\0\0\0\x01\x8a\x01\xff"s +
      "\x8a\x0b\0\0\0\0\0\0\0\0\0\0\x01G\x3f\xe0\0\0\0\0\0\0\x8c\x02\xc3\xa4\x94"s + "C\x01x"s + "t\x94.";
  const Pickle pickle(bytes_of(text + "rest"), "w", allowed);
  EXPECT_EQ(pickle.bytes(), text.size());
  const auto& items = pickle.root().items;
  ASSERT_EQ(items.size(), 11u);
  const std::vector<std::int64_t> integers{0, 1, -2, 255, 65535, std::int64_t{1} << 40, -1, 0};
  for (std::size_t i = 0; i < integers.size(); ++i) EXPECT_EQ(items[i]->integer, integers[i]) << i;
  EXPECT_EQ(items[7]->text.size(), 11u) << "an integer beyond 64 bits keeps its bytes";
  EXPECT_EQ(items[8]->real, 0.5);
  EXPECT_EQ(items[9]->text, "ä");
  EXPECT_EQ(items[10]->kind, Kind::bytes);
}

TEST(Pickle, CallsAreNotedAndOrderedDictionariesMade) {
  const Pickle calls(bytes_of("\x80\x02"
                              "ca\ncall\nK\x07\x85R."s),
                     "w", allowed);
  EXPECT_EQ(calls.root().kind, Kind::call);
  EXPECT_EQ(calls.root().items[0]->text, "a.call");
  EXPECT_EQ(calls.root().items[1]->items[0]->integer, 7);
  const std::string python3 =
      "\x80\x02"
      "ccollections\nOrderedDict\n)R(U\x01kK\x01u}b."s;
  const std::string python2 =
      "\x80\x02"
      "ccollections\nOrderedDict\n]](U\x01kK\x01"
      "ea\x85R."s;
  for (const std::string& text : {python3, python2}) {
    const Pickle pickle(bytes_of(text), "w", allowed);
    EXPECT_EQ(pickle.root().kind, Kind::dictionary);
    ASSERT_EQ(pickle.root().items.size(), 2u);
    EXPECT_EQ(pickle.root().items[0]->text, "k");
    EXPECT_EQ(pickle.root().items[1]->integer, 1);
  }
}

TEST(Pickle, OtherNamesAreRefused) {
  EXPECT_NE(fault("\x80\x02"
                  "cos\nsystem\nU\x02ls\x85R."s)
                .find("asks to call os.system"),
            std::string::npos);
  EXPECT_NE(fault("\x80\x04\x8c\x02os\x8c\x06system\x93."s).find("asks to call os.system"), std::string::npos);
  EXPECT_NE(fault("\x80\x02(ios\nsystem\n."s).find("instruction 0x69"), std::string::npos);
  EXPECT_NE(fault("\x80\x02\x82\x01."s).find("instruction 0x82"), std::string::npos) << "copyreg's extensions";
}

TEST(Pickle, DamageIsAnErrorThatNamesTheByte) {
  EXPECT_NE(fault("").find("at byte 0"), std::string::npos);
  for (const std::string& damaged :
       {"\x80\x06N."s, "\x80\x02."s, "\x80\x02t."s, "\x80\x02K"s, "\x80\x02X\xff\xff\xff\xffN."s, "\x80\x02Na."s,
        "\x80\x02NNNs."s, "\x80\x02(Nu."s, "\x80\x02}(Nu."s, "\x80\x02h\x01."s, "\x80\x02q\x01."s, "\x80\x02NNR."s,
        "\x80\x02Nb."s,
        "\x80\x02"
        "cos"s,
        "\x80\x02"
        "c\x01\n\n."s,
        "\x80\x02(0."s, "\x80\x02NN\x93."s, "\x80\x02(N(Nd."s})
    EXPECT_NE(fault(damaged).find("damaged pickle"), std::string::npos) << damaged;
}

TEST(Pickle, NestingCostsNoStackAndCyclesNoMemory) {
  std::string deep = "\x80\x02"s;
  for (int i = 0; i < 1000000; ++i) deep += "]";
  for (int i = 0; i < 999999; ++i) deep += "a";
  EXPECT_NO_THROW(Pickle(bytes_of(deep + "."), "w", allowed));
  EXPECT_NO_THROW(Pickle(bytes_of("\x80\x02]q\1h\1a."s), "w", allowed)) << "a list that holds itself";
}

TEST(Pickle, ValuesAreCounted) {
  std::string many = "\x80\x02("s + std::string(5'000'000, 'N') + "t.";
  EXPECT_NE(fault(many).find("more than 4000000 values"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
