#include "optim/parameter_groups.hpp"

#include <ATen/ATen.h>

#include "lockstep/optim/optimiser.hpp"

namespace lockstep {

std::vector<at::Tensor> ParameterGroup::values_of(const NamedParameters& tensors) const {
  std::vector<at::Tensor> values;
  for (const std::size_t i : members) values.push_back(tensors[i].second);
  return values;
}

std::vector<at::Tensor> ParameterGroup::gradients_of(const NamedParameters& parameters) const {
  std::vector<at::Tensor> gradients;
  for (const std::size_t i : members) gradients.push_back(parameters[i].second.grad());
  return gradients;
}

ParameterGroups::ParameterGroups(const NamedParameters& parameters, const std::vector<double>& factors, bool spares) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const bool decays = !(spares && is_norm_or_bias(parameters[i].second));
    add(i, {factors.empty() ? 1.0 : factors[i], decays, 0, {}});
  }
}

std::map<std::string, std::int64_t> ParameterGroups::steps(const NamedParameters& parameters) const {
  std::map<std::string, std::int64_t> steps;
  for (const ParameterGroup& group : groups_) {
    for (const std::size_t i : group.members) steps[parameters[i].first] = group.steps;
  }
  return steps;
}

void ParameterGroups::set_steps(const NamedParameters& parameters, const std::map<std::string, std::int64_t>& steps) {
  const std::vector<ParameterGroup> before = std::exchange(groups_, {});
  for (const ParameterGroup& group : before) {
    for (const std::size_t i : group.members) {
      const auto found = steps.find(parameters[i].first);
      add(i, {group.factor, group.decays, found == steps.end() ? group.steps : found->second, {}});
    }
  }
}

void ParameterGroups::add(std::size_t parameter, const ParameterGroup& like) {
  for (ParameterGroup& group : groups_) {
    if (group.factor == like.factor && group.decays == like.decays && group.steps == like.steps)
      return group.members.push_back(parameter);
  }
  groups_.push_back({like.factor, like.decays, like.steps, {parameter}});
}

NamedParameters zeros_like_all(const NamedParameters& parameters, const std::string& kind) {
  NamedParameters zeros;
  for (const auto& [name, parameter] : parameters) {
    zeros.emplace_back(kind + "." + name,
                       at::zeros_like(parameter, parameter.options().requires_grad(false), at::MemoryFormat::Preserve));
  }
  return zeros;
}

bool on_cpu(const NamedParameters& parameters) { return parameters.empty() || parameters.front().second.is_cpu(); }

}  // namespace lockstep
