// The shapes of the ResNets as pure functions: no tensors.
#include "model/resnet_plan.hpp"

#include <fmt/format.h>

#include <array>

#include "lockstep/core/error.hpp"
#include "lockstep/model/resnet.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t smallest_side = 17;  // the last stage sees ⌈side / 16⌉ pixels and halves them

struct Family {
  std::array<int, 4> blocks;  // [stage]
  bool bottleneck;
};

Family family_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::resnet18:
      return {{2, 2, 2, 2}, false};
    case ModelKind::resnet34:
      return {{3, 4, 6, 3}, false};
    case ModelKind::resnet50:
      return {{3, 4, 6, 3}, true};
    case ModelKind::custom:
      break;
  }
  throw defect(fmt::format("{} is no ResNet", name_of(kind)), "plan_resnet");
}

BlockSpec block_of(bool bottleneck, int stage, int number, std::int64_t inputs) {
  const std::int64_t width = std::int64_t{64} << stage, outputs = bottleneck ? 4 * width : width;
  const std::int64_t stride = stage > 0 && number == 0 ? 2 : 1;
  BlockSpec block{fmt::format("layer{}", stage + 1), std::to_string(number), {}, false, {inputs, outputs, 1, stride}};
  if (bottleneck)
    block.convs = {{inputs, width, 1, 1}, {width, width, 3, stride}, {width, outputs, 1, 1}};
  else
    block.convs = {{inputs, width, 3, stride}, {width, width, 3, 1}};
  block.has_shortcut = stride != 1 || inputs != outputs;
  return block;
}

LayerSummary summary_of(const BlockSpec& block, std::int64_t& side) {
  LayerSummary layer{block.stage + "." + block.name, block.bottleneck() ? "bottleneck" : "basic block", {}, 0, 0};
  const auto count = [&](const ConvSpec& conv, std::int64_t from) {
    const std::int64_t after = conv.side_after(from);
    layer.parameters += conv.weights() + 2 * conv.outputs;
    layer.flops += 2 * conv.weights() * after * after;
    return after;
  };
  if (block.has_shortcut) count(block.shortcut, side);
  std::string widths;
  for (const ConvSpec& conv : block.convs) {
    side = count(conv, side);
    widths += fmt::format("{}{}×{} to {}", widths.empty() ? " " : ", ", conv.kernel, conv.kernel, conv.outputs);
  }
  layer.kind += widths + (block.has_shortcut ? " · shortcut" : "");
  layer.output = {block.convs.back().outputs, side, side};
  return layer;
}

}  // namespace

ResNetPlan plan_resnet(ModelKind kind, const ModelInput& input) {
  const Family family = family_of(kind);
  if (input.side < smallest_side) {
    throw Error(fmt::format("an image of side {} is too small for {}", input.side, name_of(kind)), "--model, --side",
                fmt::format("it halves the image five times: use a --side of at least {}", smallest_side), Exit::usage);
  }
  ResNetPlan plan{{input.channels, 64, 7, 2}, {}, 64};
  for (int stage = 0; stage < 4; ++stage) {
    for (int number = 0; number < family.blocks[static_cast<std::size_t>(stage)]; ++number) {
      plan.blocks.push_back(block_of(family.bottleneck, stage, number, plan.features));
      plan.features = plan.blocks.back().convs.back().outputs;
    }
  }
  return plan;
}

std::vector<LayerSummary> summarise_resnet(ModelKind kind, const ModelInput& input) {
  const ResNetPlan plan = plan_resnet(kind, input);
  const std::int64_t stem_side = plan.stem.side_after(input.side);
  std::int64_t side = stem_pool.side_after(stem_side);
  std::vector<LayerSummary> layers{{"conv1",
                                    "conv 7×7, stride 2 · batch norm · relu · max-pool 3, stride 2",
                                    {plan.stem.outputs, side, side},
                                    plan.stem.weights() + 2 * plan.stem.outputs,
                                    2 * plan.stem.weights() * stem_side * stem_side}};
  for (const BlockSpec& block : plan.blocks) layers.push_back(summary_of(block, side));
  layers.push_back({"fc",
                    "mean over the image · dense",
                    {input.classes},
                    plan.features * input.classes + input.classes,
                    2 * plan.features * input.classes});
  return layers;
}

}  // namespace lockstep
