#include "lockstep/optim/optimiser.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "lockstep/core/error.hpp"
#include "optim/first_order.hpp"
#include "optim/layer_adaptive.hpp"

namespace lockstep {
namespace {

void check(const NamedParameters& parameters, const std::vector<double>& factors) {
  for (const auto& [name, parameter] : parameters) {
    const at::Tensor& gradient = parameter.grad();
    if (!gradient.defined() || gradient.strides() != parameter.strides() || parameter.scalar_type() != at::kFloat ||
        gradient.device() != parameter.device() || !parameter.is_non_overlapping_and_dense()) {
      throw defect("a parameter without a gradient of its own layout", "optimiser, " + name);
    }
  }
  if (!factors.empty() && factors.size() != parameters.size())
    throw defect(fmt::format("{} factors for {} parameters", factors.size(), parameters.size()), "optimiser");
}

}  // namespace

std::unique_ptr<Optimiser> make_optimiser(const OptimiserConfig& config, const NamedParameters& parameters,
                                          const std::vector<double>& factors) {
  check(parameters, factors);
  switch (config.kind) {
    case OptimiserKind::sgd:
      return make_sgd(config, parameters, factors);
    case OptimiserKind::lars:
      return make_lars(config, parameters, factors);
    case OptimiserKind::lamb:
      return make_lamb(config, parameters, factors);
    case OptimiserKind::adam:
    case OptimiserKind::adamw:
      break;
  }
  return make_adam(config, parameters, factors);
}

bool is_norm_or_bias(const at::Tensor& parameter) { return parameter.dim() < 2; }

void take_over(Optimiser& optimiser, const Optimiser& before) {
  const at::NoGradGuard no_grad;
  const NamedParameters state = before.state();
  const std::map<std::string, at::Tensor> held(state.begin(), state.end());
  for (const auto& [name, tensor] : optimiser.state()) {
    if (const auto found = held.find(name); found != held.end()) at::Tensor(tensor).copy_(found->second);
  }
  optimiser.set_steps(before.steps());
}

}  // namespace lockstep
