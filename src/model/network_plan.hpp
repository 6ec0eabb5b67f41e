// A network as a value: what its layers are called, what they do and in which order. No tensors.
//
// Its summary (network_summary.cpp) and its construction (planned_network.cpp) both follow the plan, so a network is
// described once, in a file of its family. Layers work on images [n, channels, side, side] until a Flatten makes rows
// [n, features] of them. Names are whole: "layer1.0.conv1". Values; pure functions.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/model/batch_norm.hpp"
#include "lockstep/model/layer_summary.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// The law that initial weights follow.
struct Initial {
  enum class Law { normal, uniform } law = Law::normal;
  double spread = 0;  ///< standard deviation, or bound; 0: all weights are zero
};

struct Conv {
  std::string name;
  std::int64_t inputs, outputs;
  std::array<std::int64_t, 2> kernel, padding{0, 0};  ///< [rows, columns]
  std::int64_t stride = 1, groups = 1;
  Initial weight = {};
  std::optional<Initial> bias = {};

  std::int64_t fan_in() const { return inputs / groups * kernel[0] * kernel[1]; }
  std::int64_t fan_out() const { return outputs * kernel[0] * kernel[1]; }  ///< as torch counts it: over all groups
  std::int64_t weights() const { return outputs * fan_in(); }
};

/// Batch norm of the Conv before it, and its activation.
struct Norm {
  std::string name;
  std::int64_t channels;
  std::optional<Activation> activation = {};
  NormConstants constants = {};
};

struct Dense {
  std::string name;
  std::int64_t inputs, outputs;
  Initial weight, bias;
};

struct Curve {
  Activation activation;
};

struct Pool {
  enum class Kind { max, mean } kind;  ///< a mean counts the zeros of the padding, as torch's does
  std::int64_t kernel, stride, padding = 0;
  bool ceil = false;  ///< a window that begins inside may reach outside
};

/// The mean over as many windows as it takes to leave side × side pixels (torch's adaptive pooling).
struct Shrink {
  std::int64_t side = 1;
};

struct Flatten {};

struct Drop {
  double p;
};

struct Layer;
using Chain = std::vector<Layer>;

/// Branches from one tensor, joined again. An empty branch is the tensor itself.
struct Branches {
  enum class Join {
    concat,  ///< channels behind each other
    sum,
    gate  ///< the second branch times the hard sigmoid of the first
  } join;
  std::vector<Chain> branches;  ///< in the order of registration
};

struct Layer : std::variant<Conv, Norm, Dense, Curve, Pool, Shrink, Flatten, Drop, Branches> {
  using variant::variant;
};

/// A head that judges what goes into a stage, in training alone.
struct AuxiliaryPlan {
  std::string name, kind;  ///< kind: for a person
  Chain layers = {};
};

/// A Stage as a value. A Drop may stand only at its beginning.
struct StagePlan {
  std::string name, kind;  ///< kind: for a person
  Chain layers = {};
  std::vector<std::string> modules = {};        ///< as Stage::modules; empty: the stage's name
  std::optional<AuxiliaryPlan> auxiliary = {};  ///< registered before the layers
};

struct NetworkPlan {
  std::vector<StagePlan> stages;
  std::vector<std::string> heads;          ///< as Model::heads
  std::vector<std::string> left_out = {};  ///< as Model::left_out
};

/// What He et al. (2015) propose for relu: normal by fan-out, as torch's kaiming_normal_(mode="fan_out").
Initial he_normal(const Conv& conv);
/// Torch's default for a dense layer: uniform in ±1/√fan-in, weight and bias.
Initial torch_default(std::int64_t fan_in);

/// The stages in order. A layer that does not go with the one before it is a defect.
std::vector<LayerSummary> summarise(const NetworkPlan& plan, const ModelInput& input);
/// Whether each layer has something to work on, and each stride something to reduce.
bool fits(const NetworkPlan& plan, const ModelInput& input);

// --- the families, each in a file of its own; `p`: the rate of dropout where the family has some ---------------------
NetworkPlan plan_resnet(ModelKind kind, const ModelInput& input);
NetworkPlan plan_vgg(ModelKind kind, const ModelInput& input, double p);
NetworkPlan plan_inception(const ModelInput& input, double p);
NetworkPlan plan_xception(const ModelInput& input, double p);
NetworkPlan plan_squeezenet(const ModelInput& input, double p);
NetworkPlan plan_mobilenet(const ModelInput& input, double p);

}  // namespace lockstep
