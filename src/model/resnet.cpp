// The ResNets (He, Zhang, Ren, Sun, 2015) as torchvision builds them: in the bottlenecks the 3×3 convolution carries
// the stride ("v1.5").
#include <fmt/format.h>

#include "model/network_plan.hpp"

namespace lockstep {
namespace {

struct Shape {
  std::array<int, 4> blocks;  // [group]
  bool bottleneck;
};

Shape shape_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::resnet18:
      return {{2, 2, 2, 2}, false};
    case ModelKind::resnet34:
      return {{3, 4, 6, 3}, false};
    case ModelKind::resnet101:
      return {{3, 4, 23, 3}, true};
    case ModelKind::resnet152:
      return {{3, 8, 36, 3}, true};
    default:
      return {{3, 4, 6, 3}, true};
  }
}

void add_normed(Chain& chain, const std::string& conv_name, const std::string& norm_name, std::int64_t inputs,
                std::int64_t outputs, std::int64_t kernel, std::int64_t stride, std::optional<Activation> activation) {
  const std::int64_t padding = kernel / 2;
  Conv conv{conv_name, inputs, outputs, {kernel, kernel}, {padding, padding}, stride};
  conv.weight = he_normal(conv);
  chain.push_back(conv);
  chain.push_back(Norm{norm_name, outputs, activation});
}

/// A residual block from `inputs` channels; `width`: of its 3×3 convolutions.
StagePlan block(const std::string& name, bool bottleneck, std::int64_t inputs, std::int64_t width,
                std::int64_t stride) {
  struct Size {
    std::int64_t outputs, kernel, stride;
  };
  const std::vector<Size> convs = bottleneck ? std::vector<Size>{{width, 1, 1}, {width, 3, stride}, {4 * width, 1, 1}}
                                             : std::vector<Size>{{width, 3, stride}, {width, 3, 1}};
  StagePlan stage{name, bottleneck ? "bottleneck" : "basic block"};
  Chain body, shortcut;
  std::int64_t channels = inputs;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const bool last = i + 1 == convs.size();
    add_normed(body, fmt::format("{}.conv{}", name, i + 1), fmt::format("{}.bn{}", name, i + 1), channels,
               convs[i].outputs, convs[i].kernel, convs[i].stride,
               last ? std::nullopt : std::optional(Activation::relu));
    stage.kind += fmt::format("{} {}×{} to {}", i == 0 ? "" : ",", convs[i].kernel, convs[i].kernel, convs[i].outputs);
    channels = convs[i].outputs;
  }
  if (stride != 1 || inputs != channels) {
    add_normed(shortcut, name + ".downsample.0", name + ".downsample.1", inputs, channels, 1, stride, std::nullopt);
    stage.kind += " · shortcut";
  }
  stage.layers = {Branches{Branches::Join::sum, {body, shortcut}}, Curve{Activation::relu}};
  return stage;
}

}  // namespace

NetworkPlan plan_resnet(ModelKind kind, const ModelInput& input) {
  const Shape shape = shape_of(kind);
  StagePlan stem{"conv1", "conv 7×7, stride 2 · batch norm · relu · max-pool 3, stride 2"};
  stem.modules = {"conv1", "bn1"};
  add_normed(stem.layers, "conv1", "bn1", input.channels, 64, 7, 2, Activation::relu);
  stem.layers.push_back(Pool{Pool::Kind::max, 3, 2, 1});
  NetworkPlan plan{{stem}, {"fc"}};
  std::int64_t channels = 64;
  for (std::size_t group = 0; group < shape.blocks.size(); ++group) {
    const std::int64_t width = std::int64_t{64} << group;
    for (int number = 0; number < shape.blocks[group]; ++number) {
      const std::int64_t stride = group > 0 && number == 0 ? 2 : 1;
      plan.stages.push_back(
          block(fmt::format("layer{}.{}", group + 1, number), shape.bottleneck, channels, width, stride));
      channels = shape.bottleneck ? 4 * width : width;
    }
  }
  const Initial initial = torch_default(channels);
  plan.stages.push_back({"fc",
                         "mean over the image · dense",
                         {Shrink{}, Flatten{}, Dense{"fc", channels, input.classes, initial, initial}}});
  return plan;
}

}  // namespace lockstep
