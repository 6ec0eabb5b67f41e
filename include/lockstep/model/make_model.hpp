// The one place where a configured kind of network becomes a network.
//
// Pure functions of their arguments: equal weights on every rank without exchange. Errors: an image too small for the
// network (names the smallest side).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/layer_summary.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// With initial weights, nothing frozen.
std::shared_ptr<Model> make_model(const ModelConfig& config, const ModelInput& input, std::uint64_t seed);

/// All layers in order, without making the network.
std::vector<LayerSummary> summarise_model(const ModelConfig& config, const ModelInput& input);

/// Model::heads().back(): the layer that gives the logits, whose weight has a row for each class. Without making it.
std::string last_head(const ModelConfig& config, const ModelInput& input);

/// The least side at which each layer has something to work on and each stride something to reduce.
std::int64_t smallest_side(const ModelConfig& config);

}  // namespace lockstep
