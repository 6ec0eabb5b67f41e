#include "train/norm_statistics.hpp"

#include <ATen/ATen.h>

namespace lockstep {

NormStatistics::NormStatistics(Model& model) {
  const at::NoGradGuard no_grad;
  for (const auto& module : model.modules()) {
    auto* layer = dynamic_cast<BatchNormActivation*>(module.get());
    if (layer == nullptr || layer->frozen()) continue;
    const at::Tensor zeros = at::zeros_like(layer->running_mean, at::kDouble);
    norms_.push_back({layer, layer->running_mean.clone(), layer->running_var.clone(), zeros.clone(), zeros.clone(), 0});
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
    // Beginning with 0, what is there now is the batch's statistics times the momentum; 0: there was no sample.
    if (!norm.layer->running_var.any().item<bool>()) continue;
    const double momentum = norm.layer->constants().momentum;
    norm.mean_sum.add_(norm.layer->running_mean.to(at::kDouble), 1 / momentum);
    norm.var_sum.add_(norm.layer->running_var.to(at::kDouble), 1 / momentum);
    ++norm.batches;
  }
}

void NormStatistics::finish() {
  for (const Norm& norm : norms_) {
    const bool measured = norm.batches > 0;
    norm.layer->running_mean.copy_(measured ? norm.mean_sum / norm.batches : norm.mean);
    norm.layer->running_var.copy_(measured ? norm.var_sum / norm.batches : norm.var);
  }
}

}  // namespace lockstep
