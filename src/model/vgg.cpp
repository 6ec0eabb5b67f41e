// The VGGs (Simonyan and Zisserman, 2014) as torchvision builds them, with and without batch norm.
//
// Their dense layers take 7 × 7 pixels: larger images are averaged to that, smaller ones repeated.
#include <fmt/format.h>

#include "model/network_plan.hpp"

namespace lockstep {
namespace {

/// Convolutions in each of the five groups, behind each of which a pool halves the image.
std::array<int, 5> depth_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::vgg11:
    case ModelKind::vgg11_bn:
      return {1, 1, 2, 2, 2};
    case ModelKind::vgg13:
    case ModelKind::vgg13_bn:
      return {2, 2, 2, 2, 2};
    case ModelKind::vgg16:
    case ModelKind::vgg16_bn:
      return {2, 2, 3, 3, 3};
    default:
      return {2, 2, 4, 4, 4};
  }
}

constexpr Initial dense_weight{Initial::Law::normal, 0.01}, zero{};

/// The convolutions, numbered as torchvision's Sequential: activations and pools take numbers too.
class Features {
 public:
  Features(ModelKind kind, std::int64_t channels) : batch_norm_(architecture_of(kind).batch_norm), channels_(channels) {
    const std::array<int, 5> depth = depth_of(kind);
    for (std::size_t group = 0; group < depth.size(); ++group) {
      for (int i = 0; i < depth[group]; ++i) add_conv(std::min<std::int64_t>(512, std::int64_t{64} << group));
      stages_.back().layers.push_back(Pool{Pool::Kind::max, 2, 2});
      stages_.back().kind += " · max-pool 2";
      ++number_;
    }
  }
  std::vector<StagePlan> take() { return std::move(stages_); }

 private:
  std::string next_name() { return fmt::format("features.{}", number_++); }

  void add_conv(std::int64_t outputs) {
    Conv conv{next_name(), channels_, outputs, {3, 3}, {1, 1}};
    conv.weight = he_normal(conv);
    conv.bias = zero;
    StagePlan stage{conv.name, fmt::format("conv 3×3 to {} · {}relu", outputs, batch_norm_ ? "batch norm · " : "")};
    stage.modules = {conv.name};
    stage.layers.push_back(conv);
    if (batch_norm_) {
      stage.modules.push_back(next_name());
      stage.layers.push_back(Norm{stage.modules.back(), outputs, Activation::relu});
    } else {
      stage.layers.push_back(Curve{Activation::relu});
    }
    ++number_;  // the relu's
    stages_.push_back(std::move(stage));
    channels_ = outputs;
  }

  bool batch_norm_;
  std::int64_t channels_;
  int number_ = 0;
  std::vector<StagePlan> stages_;
};

}  // namespace

NetworkPlan plan_vgg(ModelKind kind, const ModelInput& input, double p) {
  constexpr std::int64_t side = 7, width = 4096;
  NetworkPlan plan{Features(kind, input.channels).take(), {"classifier.6"}};
  const auto dense = [](int number, std::int64_t inputs, std::int64_t outputs) {
    return Dense{fmt::format("classifier.{}", number), inputs, outputs, dense_weight, zero};
  };
  plan.stages.push_back({"classifier.0",
                         "mean to 7×7 · dense · relu",
                         {Shrink{side}, Flatten{}, dense(0, 512 * side * side, width), Curve{Activation::relu}}});
  plan.stages.push_back({"classifier.3",
                         fmt::format("dropout {} · dense · relu", p),
                         {Drop{p}, dense(3, width, width), Curve{Activation::relu}}});
  plan.stages.push_back(
      {"classifier.6", fmt::format("dropout {} · dense", p), {Drop{p}, dense(6, width, input.classes)}});
  return plan;
}

}  // namespace lockstep
