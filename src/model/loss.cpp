#include "lockstep/model/loss.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

void check(const at::Tensor& logits, const at::Tensor& targets) {
  const bool labels = targets.scalar_type() == at::kLong && targets.dim() == 1 && targets.size(0) == logits.size(0);
  const bool probabilities = targets.scalar_type() == at::kFloat && targets.sizes() == logits.sizes();
  if (logits.dim() == 2 && (labels || probabilities)) return;
  throw Error(
      fmt::format("targets of type {} and shape [{}] for logits of shape [{}]", c10::toString(targets.scalar_type()),
                  fmt::join(targets.sizes(), ", "), fmt::join(logits.sizes(), ", ")),
      "cross-entropy", "give int64 labels, one a sample, or float32 probabilities, one a sample and class");
}

}  // namespace

at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& targets, double smoothing,
                             const at::Tensor& class_weights) {
  check(logits, targets);
  const c10::optional<at::Tensor> weights = class_weights.defined() ? c10::make_optional(class_weights) : c10::nullopt;
  return at::cross_entropy_loss(logits, targets, weights, at::Reduction::Sum, -100, smoothing);
}

}  // namespace lockstep
