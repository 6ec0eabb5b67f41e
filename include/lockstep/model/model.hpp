// An image classifier: images in, one score per class out. What the training step and the evaluator know of a network.
//
// Images: float32 [n, channels, side, side], channels-last in memory; n may be 0. Logits: float32 [n, classes].
// Parameters and buffers carry the names under which weight files keep them. A network is a sequence of stages, so that
// a prefix of it can run apart from the rest and its result be kept. One thread calls forward at a time in training; in
// evaluation (context.training false, no gradient) several threads may share one model.
#pragma once
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
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

/// A part of a network, cut where exactly one tensor passes on. It leaves that tensor alone: nothing is done in place
/// of its input.
struct Stage {
  std::string name;                  ///< of its first module: "layer1.0"
  std::vector<std::string> modules;  ///< what owns its parameters: "conv1" owns conv1.weight and conv1.norm.weight
  std::function<at::Tensor(const at::Tensor& x, const BatchContext& context)> forward;
  /// It begins with dropout: in training its result differs from step to step, frozen or not. Dropout stands at the
  /// beginning of a stage, never at its end, so what comes out of the stage before may be kept.
  bool drops = false;

  /// Whether a parameter or buffer is this stage's.
  bool owns(std::string_view name) const;
};

class Model : public torch::nn::Module {
 public:
  /// All stages, one after the other.
  at::Tensor forward(const at::Tensor& images, const BatchContext& context);
  /// Stages [first, last): from what goes into stage `first` (images for 0) to what stage `last` would take (logits
  /// behind the last stage).
  at::Tensor forward_stages(const at::Tensor& x, const BatchContext& context, std::size_t first, std::size_t last);
  /// In the order of registration of their parameters, of which each belongs to exactly one.
  const std::vector<Stage>& stages() const { return stages_; }
  /// The layers whose outputs are scores of classes, each with a weight [classes, …] and a bias [classes]. The last one
  /// gives the logits; one before it is an auxiliary head (BatchContext::auxiliary_logits).
  const std::vector<std::string>& heads() const { return heads_; }
  /// Modules of its kind of network that this one was built without: weight files may hold them.
  const std::vector<std::string>& left_out() const { return left_out_; }

 protected:
  void add_stage(Stage stage) { stages_.push_back(std::move(stage)); }
  void add_head(std::string name) { heads_.push_back(std::move(name)); }
  void leave_out(std::string name) { left_out_.push_back(std::move(name)); }

 private:
  std::vector<Stage> stages_;
  std::vector<std::string> heads_, left_out_;
};

/// Parameters and buffers by name, in registration order; they share memory with the model.
std::vector<std::pair<std::string, at::Tensor>> state_of(const Model& model);

/// Where the model's parameters lie: Module::to(device) moves them all.
c10::Device device_of(const Model& model);

}  // namespace lockstep
