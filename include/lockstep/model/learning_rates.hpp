// Which layers learn how fast: the heads at a rate of their own, early layers more slowly than late ones.
//
//   a head (Model::heads())         --head-lr, if given
//   stage i, with k trained stages  lr · D^k: layer-wise decay (Howard and Ruder, 2018; Clark et al., 2020), which
//   behind it                       counts the network's stages as layers
//
// Rates of what was trained already don't change when more is unfrozen, since that stands before it. Pure functions of
// the network's structure and of what it trains; equal on every rank.
#pragma once
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// Factors of the learning rate. `parameters`: names of trained ones; [parameter].
std::vector<double> learning_rate_factors(const Model& model, const OptimiserConfig& config,
                                          const std::vector<std::string>& parameters);

/// For a person, one line: "learning rates: conv1 … layer4.1 0.0001, fc 0.001".
std::string describe_learning_rates(const Model& model, const OptimiserConfig& config);

}  // namespace lockstep
