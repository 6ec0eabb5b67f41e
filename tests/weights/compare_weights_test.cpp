#include "lockstep/weights/compare_weights.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep {
namespace {

WeightFile some() {
  WeightFile weights;
  weights.tensors = {{"a", at::arange(6, at::kFloat).reshape({2, 3})},
                     {"b", at::ones({3000000}, at::kByte)},
                     {"c", at::full({}, 3, at::kLong)}};
  return weights;
}

WeightFile with(const std::string& name, const at::Tensor& tensor) {
  WeightFile weights = some();
  for (auto& [key, old] : weights.tensors) {
    if (key == name) old = tensor;
  }
  return weights;
}

TEST(CompareWeights, TheSameIsTheSameWhateverTheOrderAndTheStrides) {
  WeightFile other = some();
  std::swap(other.tensors[0], other.tensors[2]);
  other.tensors[2].second = at::arange(6, at::kFloat).reshape({2, 3}).t().contiguous().t();
  const WeightComparison result = compare_weights(some(), other, 0);
  EXPECT_TRUE(result.same());
  EXPECT_EQ(result.equal, 3u);
  EXPECT_EQ(result.largest, 0);
}

TEST(CompareWeights, EveryKindOfDifferenceIsFound) {
  at::Tensor changed = at::ones({3000000}, at::kByte);
  changed[2999999] = 3;
  EXPECT_EQ(compare_weights(some(), with("b", changed), 0).largest, 2);
  EXPECT_FALSE(compare_weights(some(), with("b", changed), 1.5).same());
  EXPECT_TRUE(compare_weights(some(), with("b", changed), 2).same());
  const auto reshaped = compare_weights(some(), with("a", at::zeros({3, 2})), 9);
  EXPECT_EQ(reshaped.differences, std::vector<std::string>{"a: [2, 3] and [3, 2]"});
  const auto retyped = compare_weights(some(), with("c", at::full({}, 3.0)), 9);
  EXPECT_EQ(retyped.differences, std::vector<std::string>{"c: int64 and float32, values by up to 0"});
  WeightFile fewer = some();
  fewer.tensors.pop_back();
  EXPECT_EQ(compare_weights(some(), fewer, 0).only_first, std::vector<std::string>{"c"});
  EXPECT_EQ(compare_weights(fewer, some(), 0).only_second, std::vector<std::string>{"c"});
}

TEST(CompareWeights, ValuesThatAreNoNumbersEqualThemselves) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const at::Tensor odd = at::tensor({nan, inf, -inf, 1.0f});
  EXPECT_TRUE(compare_weights(with("a", odd), with("a", odd.clone()), 0).same());
  EXPECT_TRUE(std::isinf(compare_weights(with("a", odd), with("a", at::tensor({1.0f, inf, -inf, 1.0f})), 0).largest));
  EXPECT_TRUE(std::isinf(compare_weights(with("a", odd), with("a", at::tensor({nan, inf, inf, 1.0f})), 0).largest));
}

}  // namespace
}  // namespace lockstep
