// Parameters that are updated with the same numbers, gathered into groups.
//
// Internal to src/optim. A group has one factor of the learning rate, one answer to whether decay spares it, and one
// count of steps. Loops over elements use LibTorch's threads in tasks of fixed bounds. One thread calls.
#pragma once
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;

struct ParameterGroup {
  double factor = 1;       ///< of the learning rate
  bool decays = true;      ///< false: L2, L1 and layer-wise rates spare it
  std::int64_t steps = 0;  ///< made
  std::vector<std::size_t> members;

  /// Runs `update(parameter index, first element, count)` over all elements of its parameters.
  template <typename F>
  void for_elements(const NamedParameters& parameters, const F& update) const {
    for (const std::size_t i : members) {
      for_elements_of(parameters, i, [&](std::int64_t first, std::int64_t count) { update(i, first, count); });
    }
  }
  /// The same for one of them: `update(first element, count)`.
  template <typename F>
  void for_elements_of(const NamedParameters& parameters, std::size_t i, const F& update) const {
    constexpr std::int64_t elements_per_task = 65536;
    at::parallel_for(0, parameters[i].second.numel(), elements_per_task,
                     [&](std::int64_t first, std::int64_t last) { update(first, last - first); });
  }
  std::vector<at::Tensor> values_of(const NamedParameters& tensors) const;
  std::vector<at::Tensor> gradients_of(const NamedParameters& parameters) const;
};

/// All parameters by what they are updated with, in the order of the first of each.
class ParameterGroups {
 public:
  /// `factors`: [parameter]; none: 1. `spares`: norms and biases don't decay.
  ParameterGroups(const NamedParameters& parameters, const std::vector<double>& factors, bool spares);

  std::vector<ParameterGroup>& all() { return groups_; }
  std::map<std::string, std::int64_t> steps(const NamedParameters& parameters) const;
  /// Parameters that are not named keep their number.
  void set_steps(const NamedParameters& parameters, const std::map<std::string, std::int64_t>& steps);

 private:
  void add(std::size_t parameter, const ParameterGroup& like);

  std::vector<ParameterGroup> groups_;
};

/// Zeroed tensors with the parameters' layout, named "<kind>.<parameter>".
NamedParameters zeros_like_all(const NamedParameters& parameters, const std::string& kind);
bool on_cpu(const NamedParameters& parameters);
inline float* data(const NamedParameters& tensors, std::size_t i) { return tensors[i].second.data_ptr<float>(); }
inline const float* gradient(const NamedParameters& parameters, std::size_t i) {
  return parameters[i].second.grad().const_data_ptr<float>();
}

}  // namespace lockstep
