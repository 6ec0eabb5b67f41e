#include "lockstep/gradients/clip_gradients.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "lockstep/core/sum_of_squares.hpp"
#include "lockstep/gradients/sum_in_tasks.hpp"

namespace lockstep {
namespace {

double squares_of(const at::Tensor& bucket) {
  const auto* values = bucket.const_data_ptr<float>();
  return sum_in_tasks(bucket.numel(), [values](std::int64_t first, std::int64_t count) {
    return sum_of_squares(values + first, count);
  });
}

}  // namespace

at::Tensor gradient_norm(const GradientBuckets& buckets) {
  if (buckets.count() == 0) return at::zeros({}, at::kDouble);
  if (buckets.bucket(0).is_cpu()) {
    double total = 0;
    for (std::size_t i = 0; i < buckets.count(); ++i) total += squares_of(buckets.bucket(i));
    return at::scalar_tensor(std::sqrt(total), at::kDouble);
  }
  std::vector<at::Tensor> norms;
  for (std::size_t i = 0; i < buckets.count(); ++i)
    norms.push_back(at::linalg_vector_norm(buckets.bucket(i), 2, c10::nullopt, false, at::kDouble));
  return at::linalg_vector_norm(at::stack(norms), 2);
}

at::Tensor clip_gradients(GradientBuckets& buckets, const ClippingConfig& limits) {
  const at::NoGradGuard no_grad;
  if (limits.value > 0) {
    for (std::size_t i = 0; i < buckets.count(); ++i) buckets.bucket(i).clamp_(-limits.value, limits.value);
  }
  if (limits.norm == 0 && limits.value == 0) return {};
  at::Tensor norm = gradient_norm(buckets);
  if (limits.norm == 0) return norm;
  const at::Tensor factor = (limits.norm / (norm + 1e-6)).clamp_max(1.0).to(at::kFloat);
  for (std::size_t i = 0; i < buckets.count(); ++i) buckets.bucket(i).mul_(factor);
  return norm;
}

}  // namespace lockstep
