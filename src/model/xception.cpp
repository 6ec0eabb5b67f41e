// Xception (Chollet, 2017) as timm builds it under the name legacy_xception: depthwise separable convolutions, with
// residual connections around groups of two or three.
#include <fmt/format.h>

#include "model/network_plan.hpp"

namespace lockstep {
namespace {

struct Block {
  std::int64_t inputs, outputs;
  int convs;
  std::int64_t stride;
  bool starts_with_relu = true, grows_first = true;
};

constexpr std::array<Block, 12> blocks{{{64, 128, 2, 2, false},
                                        {128, 256, 2, 2},
                                        {256, 728, 2, 2},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 728, 3, 1},
                                        {728, 1024, 2, 2, true, false}}};

Conv conv(const std::string& name, std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t padding,
          std::int64_t stride = 1, std::int64_t groups = 1) {
  Conv spec{name, inputs, outputs, {kernel, kernel}, {padding, padding}, stride, groups};
  spec.weight = he_normal(spec);
  return spec;
}

/// A 3×3 convolution of each channel by itself, then a 1×1 convolution over the channels.
void add_separable(Chain& chain, const std::string& name, std::int64_t inputs, std::int64_t outputs) {
  chain.push_back(conv(name + ".conv1", inputs, inputs, 3, 1, 1, inputs));
  chain.push_back(conv(name + ".pointwise", inputs, outputs, 1, 0));
}

/// timm's Sequential "rep" of [relu, separable, batch norm], and what passes around it.
StagePlan block_of(const std::string& name, const Block& block) {
  Chain body, skip;
  int number = 0;
  const auto next = [&] { return fmt::format("{}.rep.{}", name, number++); };
  if (block.stride != 1 || block.inputs != block.outputs) {
    skip = {conv(name + ".skip", block.inputs, block.outputs, 1, 0, block.stride),
            Norm{name + ".skipbn", block.outputs, {}}};
  }
  if (block.starts_with_relu) {
    body.push_back(Curve{Activation::relu});
    ++number;
  }
  std::int64_t channels = block.inputs;
  for (int i = 0; i < block.convs; ++i) {
    const bool last = i + 1 == block.convs;
    const std::int64_t outputs = block.grows_first || last ? block.outputs : block.inputs;
    add_separable(body, next(), channels, outputs);
    body.push_back(Norm{next(), outputs, last ? std::nullopt : std::optional(Activation::relu)});
    ++number;  // the relu's
    channels = outputs;
  }
  if (block.stride != 1) body.push_back(Pool{Pool::Kind::max, 3, block.stride, 1});
  return {name,
          fmt::format("{} separable 3×3 to {}{}", block.convs, block.outputs,
                      block.stride == 1 ? "" : " · max-pool 3, stride 2 · shortcut"),
          {Branches{Branches::Join::sum, {skip, body}}}};
}

StagePlan stem(const std::string& number, std::int64_t inputs, std::int64_t outputs, std::int64_t stride) {
  StagePlan stage{
      "conv" + number,
      fmt::format("conv 3×3 to {}{} · batch norm · relu", outputs, stride == 2 ? ", stride 2" : ""),
      {conv("conv" + number, inputs, outputs, 3, 0, stride), Norm{"bn" + number, outputs, Activation::relu}}};
  stage.modules = {"conv" + number, "bn" + number};
  return stage;
}

StagePlan separable(const std::string& number, std::int64_t inputs, std::int64_t outputs) {
  StagePlan stage{"conv" + number, fmt::format("separable 3×3 to {} · batch norm · relu", outputs)};
  add_separable(stage.layers, stage.name, inputs, outputs);
  stage.layers.push_back(Norm{"bn" + number, outputs, Activation::relu});
  stage.modules = {"conv" + number, "bn" + number};
  return stage;
}

}  // namespace

NetworkPlan plan_xception(const ModelInput& input, double p) {
  NetworkPlan plan{{stem("1", input.channels, 32, 2), stem("2", 32, 64, 1)}, {"fc"}};
  for (std::size_t i = 0; i < blocks.size(); ++i)
    plan.stages.push_back(block_of(fmt::format("block{}", i + 1), blocks[i]));
  plan.stages.push_back(separable("3", 1024, 1536));
  plan.stages.push_back(separable("4", 1536, 2048));
  const Initial initial = torch_default(2048);
  plan.stages.back().layers.insert(plan.stages.back().layers.end(), {Shrink{}, Flatten{}});
  plan.stages.back().kind += " · mean over the image";
  plan.stages.push_back({"fc",
                         p > 0 ? fmt::format("dropout {} · dense", p) : "dense",
                         {Drop{p}, Dense{"fc", 2048, input.classes, initial, initial}}});
  return plan;
}

}  // namespace lockstep
