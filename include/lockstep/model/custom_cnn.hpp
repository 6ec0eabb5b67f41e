// The custom CNN: any number of [conv – batch norm – activation – max-pool 2×2 – dropout] blocks, then any number of
// [dense – batch norm – activation – dropout] blocks, then a dense layer to the classes.
//
// Convolutions keep the image's size (odd kernels, zero padding); with batch norm they carry no bias of their own,
// since the norm subtracts it again. State names: conv1.weight, conv1.norm.weight … dense1.weight … output.weight,
// output.bias. Initial weights are torch's defaults (uniform, bound 1/√fan-in), drawn as a function of (seed, name,
// element): equal on every rank without exchange. Errors: an image too small for the pools (names the layer and the
// smallest side).
#pragma once
#include <memory>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/layer_summary.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// The dense layer that gives the classes.
inline constexpr const char* custom_cnn_head = "output";

/// All layers in order; a pure function. Errors: as above.
std::vector<LayerSummary> summarise_custom_cnn(const CustomCnnConfig& config, const ModelInput& input);

std::shared_ptr<Model> make_custom_cnn(const CustomCnnConfig& config, const BatchNormStats& stats,
                                       const ModelInput& input, std::uint64_t seed);

}  // namespace lockstep
