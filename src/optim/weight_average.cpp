#include "lockstep/optim/weight_average.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace lockstep {

WeightAverage::WeightAverage(const AveragingConfig& config, const Model& model) : config_(config) {
  for (const auto& [name, tensor] : state_of(model)) {
    if (!tensor.is_floating_point()) continue;
    weights_.emplace_back(name, tensor.detach());
    average_.emplace_back("average." + name, tensor.detach().clone(at::MemoryFormat::Preserve));
  }
}

void WeightAverage::after_step(std::int64_t step) {
  if (config_.decay == 0) return;
  const auto t = static_cast<double>(step);
  move_towards(1 - std::min(config_.decay, (1 + t) / (10 + t)));
}

void WeightAverage::after_epoch(std::int64_t epoch) {
  if (config_.from_epoch == 0 || epoch < config_.from_epoch) return;
  move_towards(1.0 / static_cast<double>(++count_));
}

void WeightAverage::move_towards(double share) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> average, weights;
  for (const auto& [name, tensor] : average_) average.push_back(tensor);
  for (const auto& [name, tensor] : weights_) weights.push_back(tensor);
  at::_foreach_lerp_(average, weights, share);
}

void WeightAverage::exchange() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < average_.size(); ++i) {
    const at::Tensor held = average_[i].second.clone(at::MemoryFormat::Preserve);
    average_[i].second.copy_(weights_[i].second);
    weights_[i].second.copy_(held);
  }
}

}  // namespace lockstep
