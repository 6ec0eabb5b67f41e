// MobileNetV3-small (Howard et al., 2019) as torchvision builds it: inverted residual blocks whose 3×3 and 5×5
// convolutions each see one channel, some with squeeze-and-excitation (Hu et al., 2018). Its batch norms use ε 1e-3 and
// momentum 0.01.
#include <fmt/format.h>

#include <algorithm>

#include "model/network_plan.hpp"

namespace lockstep {
namespace {

constexpr NormConstants constants{1e-3, 0.01};
constexpr Initial dense_weight{Initial::Law::normal, 0.01}, zero{};

struct Block {
  std::int64_t inputs, kernel, expanded, outputs;
  bool excite;
  Activation activation;
  std::int64_t stride;
};

constexpr Activation re = Activation::relu, hs = Activation::hardswish;
constexpr std::array<Block, 11> blocks{{{16, 3, 16, 16, true, re, 2},
                                        {16, 3, 72, 24, false, re, 2},
                                        {24, 3, 88, 24, false, re, 1},
                                        {24, 5, 96, 40, true, hs, 2},
                                        {40, 5, 240, 40, true, hs, 1},
                                        {40, 5, 240, 40, true, hs, 1},
                                        {40, 5, 120, 48, true, hs, 1},
                                        {48, 5, 144, 48, true, hs, 1},
                                        {48, 5, 288, 96, true, hs, 2},
                                        {96, 5, 576, 96, true, hs, 1},
                                        {96, 5, 576, 96, true, hs, 1}}};

/// The multiple of 8 next to `channels`, but no less than nine tenths of it.
std::int64_t multiple_of_8(std::int64_t channels) {
  const std::int64_t near = std::max<std::int64_t>(8, (channels + 4) / 8 * 8);
  return 10 * near < 9 * channels ? near + 8 : near;
}

void add_normed(Chain& chain, const std::string& name, std::int64_t inputs, std::int64_t outputs, std::int64_t kernel,
                std::int64_t stride, std::int64_t groups, std::optional<Activation> activation) {
  const std::int64_t padding = kernel / 2;
  Conv conv{name + ".0", inputs, outputs, {kernel, kernel}, {padding, padding}, stride, groups};
  conv.weight = he_normal(conv);
  chain.push_back(conv);
  chain.push_back(Norm{name + ".1", outputs, activation, constants});
}

/// Each channel times what two 1×1 convolutions make of the channels' means.
Layer excitation(const std::string& name, std::int64_t channels) {
  const std::int64_t squeezed = multiple_of_8(channels / 4);
  Conv down{name + ".fc1", channels, squeezed, {1, 1}}, up{name + ".fc2", squeezed, channels, {1, 1}};
  for (Conv* conv : {&down, &up}) {
    conv->weight = he_normal(*conv);
    conv->bias = zero;
  }
  return Branches{Branches::Join::gate, {{Shrink{}, down, Curve{Activation::relu}, up}, {}}};
}

StagePlan inverted_residual(const std::string& name, const Block& block) {
  Chain body;
  int number = 0;
  const auto next = [&] { return fmt::format("{}.block.{}", name, number++); };
  if (block.expanded != block.inputs) add_normed(body, next(), block.inputs, block.expanded, 1, 1, 1, block.activation);
  add_normed(body, next(), block.expanded, block.expanded, block.kernel, block.stride, block.expanded,
             block.activation);
  if (block.excite) body.push_back(excitation(next(), block.expanded));
  add_normed(body, next(), block.expanded, block.outputs, 1, 1, 1, std::nullopt);
  StagePlan stage{
      name, fmt::format("inverted residual {}×{} on {} to {}{}{}", block.kernel, block.kernel, block.expanded,
                        block.outputs, block.stride == 2 ? ", stride 2" : "", block.excite ? " · excitation" : "")};
  const bool residual = block.stride == 1 && block.inputs == block.outputs;
  stage.layers = residual ? Chain{Branches{Branches::Join::sum, {body, {}}}} : body;
  return stage;
}

}  // namespace

NetworkPlan plan_mobilenet(const ModelInput& input, double p) {
  constexpr std::int64_t features = 576, width = 1024;
  StagePlan stem{"features.0", "conv 3×3 to 16, stride 2 · batch norm · hardswish"};
  add_normed(stem.layers, "features.0", input.channels, blocks.front().inputs, 3, 2, 1, hs);
  NetworkPlan plan{{stem}, {"classifier.3"}};
  for (const Block& block : blocks)
    plan.stages.push_back(inverted_residual(fmt::format("features.{}", plan.stages.size()), block));
  StagePlan last{"features.12", fmt::format("conv 1×1 to {} · batch norm · hardswish", features)};
  add_normed(last.layers, last.name, blocks.back().outputs, features, 1, 1, 1, hs);
  plan.stages.push_back(last);
  plan.stages.push_back({"classifier.0",
                         "mean over the image · dense · hardswish",
                         {Shrink{}, Flatten{}, Dense{"classifier.0", features, width, dense_weight, zero}, Curve{hs}}});
  plan.stages.push_back({"classifier.3",
                         fmt::format("dropout {} · dense", p),
                         {Drop{p}, Dense{"classifier.3", width, input.classes, dense_weight, zero}}});
  return plan;
}

}  // namespace lockstep
