// A network made after its plan: each layer becomes a module of the plan's name and a step of the forward pass.
//
// Modules are registered in the order in which the plan names them. Activations behind a layer work in its output's
// memory; what goes into a stage or a branch is left alone. Dropout's masks are numbered through the network.
#pragma once
#include <memory>

#include "lockstep/model/model.hpp"
#include "model/network_plan.hpp"

namespace lockstep {

/// With initial weights drawn from `seed`.
std::shared_ptr<Model> make_planned_network(const NetworkPlan& plan, const BatchNormStats& stats, std::uint64_t seed);

}  // namespace lockstep
