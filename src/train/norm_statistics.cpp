#include "train/norm_statistics.hpp"

#include <ATen/ATen.h>

namespace lockstep {

NormStatistics::NormStatistics(Model& model) {
  const at::NoGradGuard no_grad;
  for (const auto& module : model.modules()) {
    auto* layer = dynamic_cast<BatchNormActivation*>(module.get());
    if (layer == nullptr || layer->frozen()) continue;
    const at::Tensor zeros = at::zeros_like(layer->running_mean, layer->running_mean.options().dtype(at::kDouble));
    const auto tracked = layer->num_batches_tracked.item<std::int64_t>();
    norms_.push_back({layer, layer->running_mean.clone(), layer->running_var.clone(), tracked, tracked, zeros.clone(),
                      zeros.clone(), 0});
  }
}

void NormStatistics::before_batch() {
  for (const Norm& norm : norms_) {
    norm.layer->running_mean.zero_();
    norm.layer->running_var.zero_();
  }
}

void NormStatistics::after_batch() {
  for (Norm& norm : norms_) {
    const auto counted = norm.layer->num_batches_tracked.item<std::int64_t>();
    if (counted == norm.counted) continue;  // the pass went another way
    norm.counted = counted;
    // Beginning with 0, what is there now is this rank's part of the batch's statistics, times the momentum.
    const double momentum = norm.layer->constants().momentum;
    norm.mean_sum.add_(norm.layer->running_mean.to(at::kDouble), 1 / momentum);
    norm.var_sum.add_(norm.layer->running_var.to(at::kDouble), 1 / momentum);
    ++norm.batches;
  }
}

void NormStatistics::finish() {
  for (const Norm& norm : norms_) {
    const bool reached = norm.batches > 0;
    norm.layer->running_mean.copy_(reached ? norm.mean_sum / norm.batches : norm.mean);
    norm.layer->running_var.copy_(reached ? norm.var_sum / norm.batches : norm.var);
    norm.layer->num_batches_tracked.fill_(norm.tracked);
  }
}

}  // namespace lockstep
