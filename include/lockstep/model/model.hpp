// An image classifier: images in, one score per class out. What the training step and the evaluator know of a network.
//
// Images: float32 [n, channels, side, side], channels-last in memory; n may be 0. Logits: float32 [n, classes].
// Parameters and buffers carry the names under which weight files keep them. One thread calls forward at a time in
// training; in evaluation (context.training false, no gradient) several threads may share one model.
#pragma once
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/model/batch_context.hpp"

namespace lockstep {

/// What a network is built for.
struct ModelInput {
  std::int64_t channels = 0;  ///< 1 or 3
  std::int64_t side = 0;      ///< pixels of the square input
  std::int64_t classes = 0;
};

class Model : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& images, const BatchContext& context) = 0;
};

/// Parameters and buffers by name, in registration order; they share memory with the model.
std::vector<std::pair<std::string, at::Tensor>> state_of(const Model& model);

/// Where the model's parameters lie: Module::to(device) moves them all.
c10::Device device_of(const Model& model);

}  // namespace lockstep
