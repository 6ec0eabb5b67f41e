// SGD, Adam and AdamW: updates that look at one element at a time.
//
// Internal to src/optim; optimiser.hpp has the formulas and the contract.
#pragma once
#include <memory>
#include <vector>

#include "lockstep/optim/optimiser.hpp"
#include "optim/parameter_groups.hpp"

namespace lockstep {

std::unique_ptr<Optimiser> make_sgd(const OptimiserConfig& config, const NamedParameters& parameters,
                                    const std::vector<double>& factors);
std::unique_ptr<Optimiser> make_adam(const OptimiserConfig& config, const NamedParameters& parameters,
                                     const std::vector<double>& factors);

}  // namespace lockstep
