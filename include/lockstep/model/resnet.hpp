// ResNet18, 34 and 50 (He, Zhang, Ren, Sun, 2015) as torchvision builds them: in the bottlenecks the 3×3 convolution
// carries the stride ("v1.5").
//
// Parameters and buffers carry torchvision's names in its order (conv1.weight, bn1.weight … layer4.2.bn3.bias,
// fc.weight, fc.bias), so that weight files go both ways. 1 or 3 channels, any number of classes. Initial weights
// follow torchvision's distributions (convolutions normal by fan-out, batch norms 1 and 0, the head uniform by fan-in),
// drawn as functions of (seed, name, element). Batch norms take their statistics as BatchNormStats says; relu is fused
// into them. Errors: a side below 17 pixels, which leaves the last stage nothing to halve.
#pragma once
#include <memory>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/layer_summary.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// The stem, each block, the head; a pure function. `kind`: one of the ResNets.
std::vector<LayerSummary> summarise_resnet(ModelKind kind, const ModelInput& input);

std::shared_ptr<Model> make_resnet(ModelKind kind, const BatchNormStats& stats, const ModelInput& input,
                                   std::uint64_t seed);

}  // namespace lockstep
