#include "optim/layer_adaptive.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "lockstep/core/sum_of_squares.hpp"
#include "lockstep/gradients/sum_in_tasks.hpp"
#include "optim/tensor_updates.hpp"
#include "optim/update_kernels.hpp"

namespace lockstep {
namespace {

double norm(const float* values, std::int64_t n) {
  return std::sqrt(
      sum_in_tasks(n, [&](std::int64_t first, std::int64_t count) { return sum_of_squares(values + first, count); }));
}

class LayerAdaptive : public Optimiser {
 public:
  LayerAdaptive(const OptimiserConfig& config, NamedParameters parameters, const std::vector<double>& factors)
      : config_(config),
        parameters_(std::move(parameters)),
        groups_(parameters_, factors, config.decays_weights_only) {}

  void step(double lr) override {
    for (ParameterGroup& group : groups_.all()) {
      ++group.steps;
      if (!on_cpu(parameters_)) {
        update_tensors(group, lr * group.factor);
        continue;
      }
      for (const std::size_t i : group.members) update(group, i, lr * group.factor);
    }
  }
  std::map<std::string, std::int64_t> steps() const override { return groups_.steps(parameters_); }
  void set_steps(const std::map<std::string, std::int64_t>& steps) override { groups_.set_steps(parameters_, steps); }

 protected:
  virtual void update(const ParameterGroup& group, std::size_t i, double lr) = 0;
  virtual void update_tensors(const ParameterGroup& group, double lr) = 0;
  float decay_of(const ParameterGroup& group) const {
    return group.decays ? static_cast<float>(config_.weight_decay) : 0.0f;
  }
  std::int64_t numel(std::size_t i) const { return parameters_[i].second.numel(); }

  OptimiserConfig config_;
  NamedParameters parameters_;  // [parameter]
  ParameterGroups groups_;
};

class Lars final : public LayerAdaptive {
 public:
  Lars(const OptimiserConfig& config, const NamedParameters& parameters, const std::vector<double>& factors)
      : LayerAdaptive(config, parameters, factors), momentum_(zeros_like_all(parameters_, "momentum")) {}

  NamedParameters state() const override { return momentum_; }

 private:
  kernels::LarsFactors factors_of(const ParameterGroup& group, double rate) const {
    return {static_cast<float>(rate), decay_of(group), static_cast<float>(config_.momentum)};
  }

  double trust(const ParameterGroup& group, std::size_t i) const {
    if (!group.decays) return 1;
    const double weights = norm(data(parameters_, i), numel(i)), gradients = norm(gradient(parameters_, i), numel(i));
    if (weights == 0 || gradients == 0) return 1;
    return config_.trust_coefficient * weights / (gradients + config_.weight_decay * weights);
  }

  void update(const ParameterGroup& group, std::size_t i, double lr) override {
    const kernels::LarsFactors factors = factors_of(group, lr * trust(group, i));
    group.for_elements_of(parameters_, i, [&](std::int64_t first, std::int64_t count) {
      kernels::lars_update(factors, count, data(parameters_, i) + first, gradient(parameters_, i) + first,
                           data(momentum_, i) + first);
    });
  }

  void update_tensors(const ParameterGroup& group, double lr) override {
    tensors::lars_update(factors_of(group, lr), group.decays ? config_.trust_coefficient : 0,
                         group.values_of(parameters_), group.gradients_of(parameters_), group.values_of(momentum_));
  }

  NamedParameters momentum_;  // [parameter]
};

class Lamb final : public LayerAdaptive {
 public:
  Lamb(const OptimiserConfig& config, const NamedParameters& parameters, const std::vector<double>& factors)
      : LayerAdaptive(config, parameters, factors),
        first_(zeros_like_all(parameters_, "first_moment")),
        second_(zeros_like_all(parameters_, "second_moment")) {}

  NamedParameters state() const override {
    NamedParameters all = first_;
    all.insert(all.end(), second_.begin(), second_.end());
    return all;
  }

 private:
  kernels::LambFactors factors_of(const ParameterGroup& group) const {
    const auto t = static_cast<double>(group.steps);
    return {static_cast<float>(config_.beta1),
            static_cast<float>(config_.beta2),
            static_cast<float>(config_.epsilon),
            static_cast<float>(1.0 - config_.beta1),
            static_cast<float>(1.0 - config_.beta2),
            static_cast<float>(1.0 / (1.0 - std::pow(config_.beta1, t))),
            static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(config_.beta2, t))),
            decay_of(group)};
  }

  void update(const ParameterGroup& group, std::size_t i, double lr) override {
    const kernels::LambFactors factors = factors_of(group);
    float *p = data(parameters_, i), *m = data(first_, i), *v = data(second_, i);
    const float* g = gradient(parameters_, i);
    const double weights = group.decays ? norm(p, numel(i)) : 0;
    const double direction = std::sqrt(sum_in_tasks(numel(i), [&](std::int64_t at, std::int64_t count) {
      return kernels::lamb_moments(factors, count, p + at, g + at, m + at, v + at);
    }));
    const double trust = weights > 0 && direction > 0 ? weights / direction : 1;
    const auto rate = static_cast<float>(lr * trust);
    group.for_elements_of(parameters_, i, [&](std::int64_t at, std::int64_t count) {
      kernels::lamb_update(factors, rate, count, p + at, m + at, v + at);
    });
  }

  void update_tensors(const ParameterGroup& group, double lr) override {
    tensors::lamb_update(factors_of(group), lr, group.decays, group.values_of(parameters_),
                         group.gradients_of(parameters_), group.values_of(first_), group.values_of(second_));
  }

  NamedParameters first_, second_;  // [parameter]
};

}  // namespace

std::unique_ptr<Optimiser> make_lars(const OptimiserConfig& config, const NamedParameters& parameters,
                                     const std::vector<double>& factors) {
  return std::make_unique<Lars>(config, parameters, factors);
}

std::unique_ptr<Optimiser> make_lamb(const OptimiserConfig& config, const NamedParameters& parameters,
                                     const std::vector<double>& factors) {
  return std::make_unique<Lamb>(config, parameters, factors);
}

}  // namespace lockstep
