#include "lockstep/optim/optimiser.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cmath>
#include <utility>

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

/// Parameters that are updated with the same numbers.
struct Group {
  double factor = 1;       // of the learning rate
  std::int64_t steps = 0;  // made
  std::vector<std::size_t> members;

  /// Runs `update(parameter index, first element, count)` over all elements of its parameters.
  template <typename F>
  void for_elements(const Named& parameters, const F& update) const {
    for (const std::size_t i : members) {
      at::parallel_for(0, parameters[i].second.numel(), elements_per_task,
                       [&](std::int64_t first, std::int64_t last) { update(i, first, last - first); });
    }
  }
  std::vector<at::Tensor> values_of(const Named& tensors) const {
    std::vector<at::Tensor> values;
    for (const std::size_t i : members) values.push_back(tensors[i].second);
    return values;
  }
  std::vector<at::Tensor> gradients_of(const Named& parameters) const {
    std::vector<at::Tensor> gradients;
    for (const std::size_t i : members) gradients.push_back(parameters[i].second.grad());
    return gradients;
  }
};

/// All parameters by what they are updated with, in the order of the first of each.
class Groups {
 public:
  Groups(const Named& parameters, const std::vector<double>& factors) {
    for (std::size_t i = 0; i < parameters.size(); ++i) add(i, factors.empty() ? 1.0 : factors[i], 0);
  }

  std::vector<Group>& all() { return groups_; }
  std::map<std::string, std::int64_t> steps(const Named& parameters) const {
    std::map<std::string, std::int64_t> steps;
    for (const Group& group : groups_) {
      for (const std::size_t i : group.members) steps[parameters[i].first] = group.steps;
    }
    return steps;
  }
  void set_steps(const Named& parameters, const std::map<std::string, std::int64_t>& steps) {
    std::vector<Group> before = std::exchange(groups_, {});
    for (const Group& group : before) {
      for (const std::size_t i : group.members) {
        const auto found = steps.find(parameters[i].first);
        add(i, group.factor, found == steps.end() ? group.steps : found->second);
      }
    }
  }

 private:
  void add(std::size_t parameter, double factor, std::int64_t steps) {
    for (Group& group : groups_) {
      if (group.factor == factor && group.steps == steps) return group.members.push_back(parameter);
    }
    groups_.push_back({factor, steps, {parameter}});
  }

  std::vector<Group> groups_;
};

float* data(const Named& tensors, std::size_t i) { return tensors[i].second.data_ptr<float>(); }
const float* gradient(const Named& parameters, std::size_t i) {
  return parameters[i].second.grad().const_data_ptr<float>();
}

bool on_cpu(const Named& parameters) { return parameters.empty() || parameters.front().second.is_cpu(); }

class Sgd final : public Optimiser {
 public:
  Sgd(const OptimiserConfig& config, Named parameters, const std::vector<double>& factors)
      : config_(config), parameters_(std::move(parameters)), groups_(parameters_, factors) {
    if (config.momentum != 0) momentum_ = zeros_like_all(parameters_, "momentum");
  }

  void step(double lr) override {
    for (Group& group : groups_.all()) update(group, lr * group.factor);
  }
  Named state() const override { return momentum_; }
  std::map<std::string, std::int64_t> steps() const override { return groups_.steps(parameters_); }
  void set_steps(const std::map<std::string, std::int64_t>& steps) override { groups_.set_steps(parameters_, steps); }

 private:
  void update(Group& group, double lr) {
    const kernels::SgdFactors factors{static_cast<float>(lr), static_cast<float>(config_.weight_decay),
                                      static_cast<float>(config_.momentum), config_.nesterov, group.steps++ == 0};
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
  Named parameters_, momentum_;  // [parameter]
  Groups groups_;
};

class Adam final : public Optimiser {
 public:
  Adam(const OptimiserConfig& config, Named parameters, const std::vector<double>& factors)
      : config_(config),
        parameters_(std::move(parameters)),
        first_(zeros_like_all(parameters_, "first_moment")),
        second_(zeros_like_all(parameters_, "second_moment")),
        groups_(parameters_, factors) {}

  void step(double lr) override {
    for (Group& group : groups_.all()) update(group, lr * group.factor);
  }
  Named state() const override {
    Named all = first_;
    all.insert(all.end(), second_.begin(), second_.end());
    return all;
  }
  std::map<std::string, std::int64_t> steps() const override { return groups_.steps(parameters_); }
  void set_steps(const std::map<std::string, std::int64_t>& steps) override { groups_.set_steps(parameters_, steps); }

 private:
  void update(Group& group, double lr) {
    const bool decoupled = config_.kind == OptimiserKind::adamw;
    const auto t = static_cast<double>(++group.steps);
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
      return tensors::adam_update(factors, group.values_of(parameters_), group.gradients_of(parameters_),
                                  group.values_of(first_), group.values_of(second_));
    }
    group.for_elements(parameters_, [&](std::size_t i, std::int64_t at, std::int64_t count) {
      kernels::adam_update(factors, count, data(parameters_, i) + at, gradient(parameters_, i) + at,
                           data(first_, i) + at, data(second_, i) + at);
    });
  }

  OptimiserConfig config_;
  Named parameters_, first_, second_;  // [parameter]
  Groups groups_;
};

}  // namespace

std::unique_ptr<Optimiser> make_optimiser(const OptimiserConfig& config, const Named& parameters,
                                          const std::vector<double>& factors) {
  check(parameters);
  if (!factors.empty() && factors.size() != parameters.size())
    throw defect(fmt::format("{} factors for {} parameters", factors.size(), parameters.size()), "optimiser");
  if (config.kind == OptimiserKind::sgd) return std::make_unique<Sgd>(config, parameters, factors);
  return std::make_unique<Adam>(config, parameters, factors);
}

void take_over(Optimiser& optimiser, const Optimiser& before) {
  const at::NoGradGuard no_grad;
  const Named state = before.state();
  const std::map<std::string, at::Tensor> held(state.begin(), state.end());
  for (const auto& [name, tensor] : optimiser.state()) {
    if (const auto found = held.find(name); found != held.end()) at::Tensor(tensor).copy_(found->second);
  }
  optimiser.set_steps(before.steps());
}

}  // namespace lockstep
