// Values by hand; tests/system/torch_parity_test.py compares with torch itself.
#include "lockstep/model/loss.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

// Logits whose softmax is exactly (1, 2, 5) / 8 and (1, 1, 2) / 4.
at::Tensor some_logits() {
  return at::log(at::tensor({1.0, 2.0, 5.0, 1.0, 1.0, 2.0}, at::kDouble)).view({2, 3}).to(at::kFloat);
}

const double log8 = std::log(8.0), log4 = std::log(4.0), log2 = std::log(2.0), log5 = std::log(5.0);

TEST(CrossEntropy, OfLabels) {
  const at::Tensor labels = at::tensor({2, 0}, at::kLong);
  EXPECT_NEAR(cross_entropy_sum(some_logits(), labels, 0).item<double>(), (log8 - log5) + log4, 1e-6);
  // Smoothing 0.3: 0.7 of the label's loss and 0.1 of every class's.
  const double all = (3 * log8 - log2 - log5) + (3 * log4 - log2);
  EXPECT_NEAR(cross_entropy_sum(some_logits(), labels, 0.3).item<double>(), 0.7 * ((log8 - log5) + log4) + 0.1 * all,
              1e-6);
}

TEST(CrossEntropy, OfSoftTargets) {
  const at::Tensor targets = at::tensor({0.5, 0.25, 0.25, 0.0, 0.0, 1.0}, at::kDouble).view({2, 3}).to(at::kFloat);
  const double soft = (log8 - 0.25 * log2 - 0.25 * log5) + (log4 - log2);
  EXPECT_NEAR(cross_entropy_sum(some_logits(), targets, 0).item<double>(), soft, 1e-6);
  const double all = (3 * log8 - log2 - log5) + (3 * log4 - log2);
  EXPECT_NEAR(cross_entropy_sum(some_logits(), targets, 0.3).item<double>(), 0.7 * soft + 0.1 * all, 1e-6);
}

TEST(CrossEntropy, GradientIsSoftmaxMinusTarget) {
  const at::Tensor targets = at::tensor({0.5, 0.25, 0.25, 0.0, 0.0, 1.0}, at::kDouble).view({2, 3}).to(at::kFloat);
  const at::Tensor logits = some_logits().requires_grad_(true);
  cross_entropy_sum(logits, targets, 0).backward();
  EXPECT_TRUE(at::allclose(logits.grad(), at::softmax(some_logits(), 1) - targets, 0, 1e-6));
}

TEST(CrossEntropy, OneHotTargetsAreLabels) {
  const at::Tensor labels = at::tensor({2, 0}, at::kLong);
  const at::Tensor one_hot = at::one_hot(labels, 3).to(at::kFloat);
  for (const double smoothing : {0.0, 0.2}) {
    EXPECT_NEAR(cross_entropy_sum(some_logits(), one_hot, smoothing).item<double>(),
                cross_entropy_sum(some_logits(), labels, smoothing).item<double>(), 1e-6);
  }
}

TEST(CrossEntropy, OfNothingIsZeroAndHasAGradient) {
  for (const at::Tensor& targets : {at::empty({0}, at::kLong), at::empty({0, 3})}) {
    const at::Tensor logits = at::empty({0, 3}).requires_grad_(true);
    const at::Tensor loss = cross_entropy_sum(logits, targets, 0.1);
    EXPECT_EQ(loss.item<double>(), 0);
    EXPECT_NO_THROW(loss.backward());
  }
}

TEST(CrossEntropy, TargetsOfAnotherKindAreRefused) {
  for (const at::Tensor& targets :
       {at::zeros({2}, at::kFloat), at::zeros({3}, at::kLong), at::zeros({2, 2}, at::kFloat),
        at::zeros({2, 3}, at::kDouble), at::zeros({2, 3}, at::kLong)}) {
    EXPECT_THROW(cross_entropy_sum(some_logits(), targets, 0), Error) << targets.sizes();
  }
}

}  // namespace
}  // namespace lockstep
