#include "lockstep/weights/origin.hpp"

#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

const WeightsOrigin some{"custom", {{"filters", "8,16"}}, {"a \"b\"", "ä"}, 3, 40, 32, 36, "pad"};

TEST(Origin, ComesBackAsItWasSet) {
  WeightFile weights;
  set_weights_origin(weights, some);
  EXPECT_EQ(weights_origin(weights, "w"), some);
}

TEST(Origin, IsAbsentFromFilesOfOthers) {
  WeightFile weights;
  weights.metadata["model"] = "something else";
  EXPECT_EQ(weights_origin(weights, "w"), std::nullopt);
}

TEST(Origin, RefusesWhatIsDamaged) {
  WeightFile weights;
  for (const char* text : {"", "{", "[]", "{\"model\": 3}"}) {
    weights.metadata["lockstep"] = text;
    EXPECT_THROW(weights_origin(weights, "w"), Error) << text;
  }
  WeightsOrigin wrong = some;
  wrong.side = 1 << 20;
  set_weights_origin(weights, wrong);
  EXPECT_THROW(weights_origin(weights, "w"), Error);
  wrong = some;
  wrong.channels = 2;
  set_weights_origin(weights, wrong);
  EXPECT_THROW(weights_origin(weights, "w"), Error);
}

}  // namespace
}  // namespace lockstep
