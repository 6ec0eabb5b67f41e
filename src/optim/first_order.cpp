#include "optim/first_order.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "optim/tensor_updates.hpp"
#include "optim/update_kernels.hpp"

namespace lockstep {
namespace {

/// What decay does in one update of a group, by its form.
struct Decay {
  double l2 = 0, l1 = 0;        // in the gradient
  double keep = 1, shrink = 0;  // of the weights
};

Decay decay_of(const OptimiserConfig& config, const ParameterGroup& group, double lr) {
  if (!group.decays) return {};
  if (!config.decoupled_decay) return {config.weight_decay, config.l1, 1, 0};
  return {0, 0, 1.0 - lr * config.weight_decay, lr * config.l1};
}

class Sgd final : public Optimiser {
 public:
  Sgd(const OptimiserConfig& config, NamedParameters parameters, const std::vector<double>& factors)
      : config_(config), parameters_(std::move(parameters)), groups_(parameters_, factors, config.decays_weights_only) {
    if (config.momentum != 0) momentum_ = zeros_like_all(parameters_, "momentum");
  }

  void step(double lr) override {
    for (ParameterGroup& group : groups_.all()) update(group, lr * group.factor);
  }
  NamedParameters state() const override { return momentum_; }
  std::map<std::string, std::int64_t> steps() const override { return groups_.steps(parameters_); }
  void set_steps(const std::map<std::string, std::int64_t>& steps) override { groups_.set_steps(parameters_, steps); }

 private:
  void update(ParameterGroup& group, double lr) {
    const Decay decay = decay_of(config_, group, lr);
    const kernels::SgdFactors factors{static_cast<float>(lr),
                                      static_cast<float>(decay.l2),
                                      static_cast<float>(config_.momentum),
                                      config_.nesterov,
                                      group.steps++ == 0,
                                      static_cast<float>(decay.l1),
                                      static_cast<float>(decay.keep),
                                      static_cast<float>(decay.shrink)};
    if (!on_cpu(parameters_)) {
      return tensors::sgd_update(factors, group.values_of(parameters_), group.gradients_of(parameters_),
                                 momentum_.empty() ? std::vector<at::Tensor>() : group.values_of(momentum_));
    }
    group.for_elements(parameters_, [&](std::size_t i, std::int64_t first, std::int64_t count) {
      float* momentum = momentum_.empty() ? nullptr : data(momentum_, i) + first;
      kernels::sgd_update(factors, count, data(parameters_, i) + first, gradient(parameters_, i) + first, momentum);
    });
  }

  OptimiserConfig config_;
  NamedParameters parameters_, momentum_;  // [parameter]
  ParameterGroups groups_;
};

class Adam final : public Optimiser {
 public:
  Adam(const OptimiserConfig& config, NamedParameters parameters, const std::vector<double>& factors)
      : config_(config),
        parameters_(std::move(parameters)),
        first_(zeros_like_all(parameters_, "first_moment")),
        second_(zeros_like_all(parameters_, "second_moment")),
        groups_(parameters_, factors, config.decays_weights_only) {}

  void step(double lr) override {
    for (ParameterGroup& group : groups_.all()) update(group, lr * group.factor);
  }
  NamedParameters state() const override {
    NamedParameters all = first_;
    all.insert(all.end(), second_.begin(), second_.end());
    return all;
  }
  std::map<std::string, std::int64_t> steps() const override { return groups_.steps(parameters_); }
  void set_steps(const std::map<std::string, std::int64_t>& steps) override { groups_.set_steps(parameters_, steps); }

 private:
  void update(ParameterGroup& group, double lr) {
    const auto t = static_cast<double>(++group.steps);
    const Decay decay = decay_of(config_, group, lr);
    const kernels::AdamFactors factors{static_cast<float>(config_.beta1),
                                       static_cast<float>(config_.beta2),
                                       static_cast<float>(config_.epsilon),
                                       static_cast<float>(1.0 - config_.beta1),
                                       static_cast<float>(1.0 - config_.beta2),
                                       static_cast<float>(decay.l2),
                                       static_cast<float>(decay.keep),
                                       static_cast<float>(lr / (1.0 - std::pow(config_.beta1, t))),
                                       static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(config_.beta2, t))),
                                       static_cast<float>(decay.l1),
                                       static_cast<float>(decay.shrink)};
    if (!on_cpu(parameters_)) {
      return tensors::adam_update(factors, group.values_of(parameters_), group.gradients_of(parameters_),
                                  group.values_of(first_), group.values_of(second_));
    }
    group.for_elements(parameters_, [&](std::size_t i, std::int64_t at, std::int64_t count) {
      kernels::adam_update(factors, count, data(parameters_, i) + at, gradient(parameters_, i) + at,
                           data(first_, i) + at, data(second_, i) + at);
    });
  }

  OptimiserConfig config_;
  NamedParameters parameters_, first_, second_;  // [parameter]
  ParameterGroups groups_;
};

}  // namespace

std::unique_ptr<Optimiser> make_sgd(const OptimiserConfig& config, const NamedParameters& parameters,
                                    const std::vector<double>& factors) {
  return std::make_unique<Sgd>(config, parameters, factors);
}

std::unique_ptr<Optimiser> make_adam(const OptimiserConfig& config, const NamedParameters& parameters,
                                     const std::vector<double>& factors) {
  return std::make_unique<Adam>(config, parameters, factors);
}

}  // namespace lockstep
