#include "lockstep/weights/weight_file.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

TEST(CopyWeights, ListsWhatDoesNotFit) {
  WeightFile from;
  from.tensors.emplace_back("conv.weight", at::rand({4, 3, 5, 5}));
  std::vector<std::pair<std::string, at::Tensor>> into{{"conv.weight", at::zeros({4, 3, 3, 3})},
                                                       {"dense.weight", at::zeros({2})}};
  try {
    copy_weights(from, into, "w");
    FAIL() << "weights of another model were taken";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("conv.weight is [4, 3, 5, 5], the model's [4, 3, 3, 3]"), std::string::npos)
        << error.what();
    EXPECT_NE(error.message().find("missing: dense.weight"), std::string::npos) << error.what();
  }
  EXPECT_EQ(into[0].second.abs().sum().item<float>(), 0.0f) << "nothing was copied in part";
}

TEST(FiniteWeights, ATensorWithANanOrAnInfinityIsNamed) {
  WeightFile weights;
  weights.tensors.emplace_back("count", at::full({}, 7, at::kLong));
  weights.tensors.emplace_back("half", at::ones({3}).to(at::kHalf));
  EXPECT_NO_THROW(require_finite_weights(weights, "w"));
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    weights.tensors[1].second[1] = bad;
    try {
      require_finite_weights(weights, "w.pth");
      ADD_FAILURE() << bad << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.where(), "w.pth");
      EXPECT_NE(error.message().find("tensor half has 1 values"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace lockstep
