#include "lockstep/optim/optimiser.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>

#include "lockstep/core/error.hpp"
#include "optim/tensor_updates.hpp"
#include "optim/update_kernels.hpp"

namespace lockstep {
namespace {

using Named = std::vector<std::pair<std::string, at::Tensor>>;

constexpr std::int64_t elements_per_task = 65536;

void check(const Named& parameters) {
  for (const auto& [name, parameter] : parameters) {
    const at::Tensor& gradient = parameter.grad();
    if (!gradient.defined() || gradient.strides() != parameter.strides() || parameter.scalar_type() != at::kFloat ||
        gradient.device() != parameter.device() || !parameter.is_non_overlapping_and_dense()) {
      throw defect("a parameter without a gradient of its own layout", "optimiser, " + name);
    }
  }
}

/// Zeroed tensors with the parameters' layout, named "<kind>.<parameter>".
Named zeros_like_all(const Named& parameters, const std::string& kind) {
  Named zeros;
  for (const auto& [name, parameter] : parameters) {
    zeros.emplace_back(kind + "." + name,
                       at::zeros_like(parameter, parameter.options().requires_grad(false), at::MemoryFormat::Preserve));
  }
  return zeros;
}

/// Runs `update(parameter index, first element, count)` over all elements of all parameters.
template <typename F>
void for_elements(const Named& parameters, const F& update) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    at::parallel_for(0, parameters[i].second.numel(), elements_per_task,
                     [&](std::int64_t first, std::int64_t last) { update(i, first, last - first); });
  }
}

float* data(const Named& tensors, std::size_t i) { return tensors[i].second.data_ptr<float>(); }
const float* gradient(const Named& parameters, std::size_t i) {
  return parameters[i].second.grad().const_data_ptr<float>();
}

bool on_cpu(const Named& parameters) { return parameters.empty() || parameters.front().second.is_cpu(); }

std::vector<at::Tensor> values_of(const Named& tensors) {
  std::vector<at::Tensor> values;
  for (const auto& [name, tensor] : tensors) values.push_back(tensor);
  return values;
}

std::vector<at::Tensor> gradients_of(const Named& parameters) {
  std::vector<at::Tensor> gradients;
  for (const auto& [name, parameter] : parameters) gradients.push_back(parameter.grad());
  return gradients;
}

class Sgd final : public Optimiser {
 public:
  Sgd(const OptimiserConfig& config, Named parameters) : config_(config), parameters_(std::move(parameters)) {
    if (config.momentum != 0) momentum_ = zeros_like_all(parameters_, "momentum");
  }

  void step(double lr) override {
    const kernels::SgdFactors factors{static_cast<float>(lr), static_cast<float>(config_.weight_decay),
                                      static_cast<float>(config_.momentum), config_.nesterov, steps_++ == 0};
    if (!on_cpu(parameters_)) {
      return tensors::sgd_update(factors, values_of(parameters_), gradients_of(parameters_), values_of(momentum_));
    }
    for_elements(parameters_, [&](std::size_t i, std::int64_t first, std::int64_t count) {
      float* momentum = momentum_.empty() ? nullptr : data(momentum_, i) + first;
      kernels::sgd_update(factors, count, data(parameters_, i) + first, gradient(parameters_, i) + first, momentum);
    });
  }
  Named state() const override { return momentum_; }
  std::int64_t steps() const override { return steps_; }
  void set_steps(std::int64_t steps) override { steps_ = steps; }

 private:
  OptimiserConfig config_;
  Named parameters_, momentum_;  // [parameter]
  std::int64_t steps_ = 0;
};

class Adam final : public Optimiser {
 public:
  Adam(const OptimiserConfig& config, Named parameters)
      : config_(config),
        parameters_(std::move(parameters)),
        first_(zeros_like_all(parameters_, "first_moment")),
        second_(zeros_like_all(parameters_, "second_moment")) {}

  void step(double lr) override {
    ++steps_;
    const bool decoupled = config_.kind == OptimiserKind::adamw;
    const auto t = static_cast<double>(steps_);
    const kernels::AdamFactors factors{static_cast<float>(config_.beta1),
                                       static_cast<float>(config_.beta2),
                                       static_cast<float>(config_.epsilon),
                                       static_cast<float>(1.0 - config_.beta1),
                                       static_cast<float>(1.0 - config_.beta2),
                                       static_cast<float>(decoupled ? 0.0 : config_.weight_decay),
                                       static_cast<float>(decoupled ? 1.0 - lr * config_.weight_decay : 1.0),
                                       static_cast<float>(lr / (1.0 - std::pow(config_.beta1, t))),
                                       static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(config_.beta2, t)))};
    if (!on_cpu(parameters_)) {
      return tensors::adam_update(factors, values_of(parameters_), gradients_of(parameters_), values_of(first_),
                                  values_of(second_));
    }
    for_elements(parameters_, [&](std::size_t i, std::int64_t at, std::int64_t count) {
      kernels::adam_update(factors, count, data(parameters_, i) + at, gradient(parameters_, i) + at,
                           data(first_, i) + at, data(second_, i) + at);
    });
  }
  Named state() const override {
    Named all = first_;
    all.insert(all.end(), second_.begin(), second_.end());
    return all;
  }
  std::int64_t steps() const override { return steps_; }
  void set_steps(std::int64_t steps) override { steps_ = steps; }

 private:
  OptimiserConfig config_;
  Named parameters_, first_, second_;  // [parameter]
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimiser> make_optimiser(const OptimiserConfig& config, const Named& parameters) {
  check(parameters);
  if (config.kind == OptimiserKind::sgd) return std::make_unique<Sgd>(config, parameters);
  return std::make_unique<Adam>(config, parameters);
}

}  // namespace lockstep
