// Predictions of the same samples are found by whatever name; others are refused with what differs.
#include "lockstep/evaluate/counterpart.hpp"

#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

const std::vector<std::string> classes{"ant", "bee", "cow"};

SplitPredictions some(const std::string& split) {
  return {split, "best", "0123", {2, 5, 9}, {0, 1, 1}, {0, 2, 1}, {1, 0, 0, 0, 0, 1, 0, 1, 0}, true, "4567"};
}

std::string fault(const KeptPredictions& others) {
  try {
    return "found " + counterpart(some("test"), classes, others, "others.h5").split;
  } catch (const Error& error) {
    return error.what();
  }
}

/// Of what `change` makes of the same predictions.
template <typename Change>
std::string fault_of(const Change& change) {
  SplitPredictions others = some("test");
  change(others);
  return fault({classes, {others}});
}

TEST(Counterparts, OfTheSameNameAreOfTheSameSamples) {
  EXPECT_EQ(fault_of([](auto& other) { other.predicted = {1, 1, 1}; }), "found test");
  EXPECT_NE(fault_of([](auto& o) { o.data_digest = "fedc"; }).find("digest fedc, these of 0123"), std::string::npos);
  EXPECT_NE(fault_of([](auto& o) { o.ids[1] = 6; }).find("id 6 there where it is 5 here"), std::string::npos);
  EXPECT_NE(fault_of([](auto& o) { o.labels[0] = 1; }).find("sample 2 has label 1 there, 0 here"), std::string::npos);
  EXPECT_NE(fault_of([](auto& o) { o.ids.pop_back(); }).find("2 there, 3 here"), std::string::npos);
}

TEST(Counterparts, HaveTheSameClasses) {
  EXPECT_NE(fault({{"ant", "bee", "dog"}, {some("test")}}).find("class 2 is 'dog' there, 'cow' here"),
            std::string::npos);
  EXPECT_NE(fault({{"ant", "bee"}, {some("test")}}).find("2 classes there, 3 here"), std::string::npos);
}

TEST(Counterparts, AreFoundByTheirSamplesWhereNoneHasTheName) {
  SplitPredictions elsewhere = some("test");
  elsewhere.data_digest = "fedc";
  EXPECT_EQ(fault({classes, {elsewhere, some("test of /data")}}), "found test of /data")
      << "the split called test is another data set's";
  EXPECT_EQ(fault({classes, {some("test, last weights"), some("test")}}), "found test");
}

TEST(Counterparts, AreAskedForByNamesThatThereAre) {
  EXPECT_NE(fault({classes, {some("test, last weights"), some("test of /data")}})
                .find("there are 'test, last weights', 'test of /data'"),
            std::string::npos);
  SplitPredictions other = some("validation");
  other.ids = {1, 3, 4};
  EXPECT_NE(fault({classes, {other}}).find("no predictions of 'test', or of its samples"), std::string::npos);
  EXPECT_NE(fault({classes, {other}}).find("judged on 'validation'"), std::string::npos);
  EXPECT_NE(fault({classes, {}}).find("judged on nothing"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
