// LARS and LAMB: updates whose length follows the size of the layer's weights.
//
// Internal to src/optim; optimiser.hpp has the formulas and the contract.
#pragma once
#include <memory>
#include <vector>

#include "lockstep/optim/optimiser.hpp"
#include "optim/parameter_groups.hpp"

namespace lockstep {

std::unique_ptr<Optimiser> make_lars(const OptimiserConfig& config, const NamedParameters& parameters,
                                     const std::vector<double>& factors);
std::unique_ptr<Optimiser> make_lamb(const OptimiserConfig& config, const NamedParameters& parameters,
                                     const std::vector<double>& factors);

}  // namespace lockstep
