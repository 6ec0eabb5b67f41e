#include "lockstep/model/vector_kernels.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace lockstep {
namespace {

TEST(Exponential, IsWithinThreeTenMillionthsOfLibm) {
  std::vector<float> x, y;
  for (double v = -86.5; v < 87.5; v += 0.00137) x.push_back(static_cast<float>(v));
  y.resize(x.size());
  kernels::exponential(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp(static_cast<double>(x[i]));
    ASSERT_LE(std::abs(y[i] - exact) / exact, 3e-7) << x[i];
  }
}

TEST(Exponential, KeepsNanAndIsFiniteAtTheEnds) {
  const float x[3] = {std::nanf(""), 1000.0f, -1000.0f};
  float y[3];
  kernels::exponential(x, 3, y);
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_TRUE(std::isfinite(y[1]));
  EXPECT_GE(y[2], 0.0f);
}

/// The same curve by LibTorch.
at::Tensor reference(kernels::Curve curve, const at::Tensor& z) {
  switch (curve) {
    case kernels::Curve::identity:
      return z;
    case kernels::Curve::relu:
      return at::relu(z);
    case kernels::Curve::silu:
      return at::silu(z);
    case kernels::Curve::mish:
      return at::mish(z);
    case kernels::Curve::hardswish:
      return at::hardswish(z);
  }
  return z;
}

class Curves : public ::testing::TestWithParam<kernels::Curve> {};

TEST_P(Curves, ValueAndSlopeAreLibTorchs) {
  const auto n = std::int64_t{4001};
  const at::Tensor x = at::linspace(-30, 30, n).requires_grad_(true);
  const at::Tensor expected = reference(GetParam(), x);
  expected.sum().backward();
  const std::vector<float> one(static_cast<std::size_t>(n), 1.0f), zero(static_cast<std::size_t>(n), 0.0f);
  std::vector<float> y(one.size()), dz(one.size());
  std::vector<double> sum(one.size()), dot(one.size());
  const float* data = x.detach().const_data_ptr<float>();
  kernels::affine_curve(GetParam(), data, 1, n, one.data(), zero.data(), y.data());
  kernels::affine_curve_gradient(GetParam(), data, one.data(), 1, n, one.data(), zero.data(), zero.data(), dz.data(),
                                 sum.data(), dot.data());
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const float want = expected[i].item<float>(), slope = x.grad()[i].item<float>();
    EXPECT_NEAR(y[at], want, 1e-6 + 2e-6 * std::abs(want)) << data[i];
    EXPECT_NEAR(dz[at], slope, 3e-6) << data[i];
    EXPECT_EQ(sum[at], dz[at]);
    EXPECT_DOUBLE_EQ(dot[at], static_cast<double>(dz[at]) * data[i]);
  }
  std::vector<float> in_place(data, data + n);
  kernels::affine_curve(GetParam(), in_place.data(), 1, n, one.data(), zero.data(), in_place.data());
  EXPECT_EQ(in_place, y);
}

INSTANTIATE_TEST_SUITE_P(All, Curves,
                         ::testing::Values(kernels::Curve::identity, kernels::Curve::relu, kernels::Curve::silu,
                                           kernels::Curve::mish, kernels::Curve::hardswish));

TEST(DropoutMask, IsAFunctionOfItsCoordinatesAndDropsItsShare) {
  const auto mask = [](std::uint64_t seed, std::uint64_t step, std::uint64_t sample, std::uint32_t layer) {
    std::vector<std::uint8_t> keep(100003);
    kernels::dropout_mask(seed, step, sample, layer, 0.3, static_cast<std::int64_t>(keep.size()), keep.data());
    return keep;
  };
  const auto first = mask(1, 2, 3, 4);
  EXPECT_EQ(first, mask(1, 2, 3, 4));
  for (const auto& other : {mask(2, 2, 3, 4), mask(1, 3, 3, 4), mask(1, 2, 4, 4), mask(1, 2, 3, 5)})
    EXPECT_NE(first, other);
  EXPECT_NEAR(std::accumulate(first.begin(), first.end(), 0.0) / 100003, 0.7, 0.007);
}

TEST(DropoutMask, AnElementDoesNotDependOnHowManyThereAre) {
  std::vector<std::uint8_t> few(1001), many(5000);
  kernels::dropout_mask(1, 2, 3, 4, 0.5, 1001, few.data());
  kernels::dropout_mask(1, 2, 3, 4, 0.5, 5000, many.data());
  many.resize(1001);
  EXPECT_EQ(few, many);
}

}  // namespace
}  // namespace lockstep
