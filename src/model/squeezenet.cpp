// SqueezeNet 1.1 (Iandola et al., 2016) as torchvision builds it: its head is a 1×1 convolution, whose scores are
// averaged over the image.
#include <fmt/format.h>

#include <cmath>

#include "model/network_plan.hpp"

namespace lockstep {
namespace {

constexpr Pool halve{Pool::Kind::max, 3, 2, 0, true};

/// Uniform by fan-in, as torch's kaiming_uniform_.
Conv conv(const std::string& name, std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t padding,
          std::int64_t stride = 1) {
  Conv spec{name, inputs, outputs, {kernel, kernel}, {padding, padding}, stride};
  spec.weight = {Initial::Law::uniform, std::sqrt(6.0 / static_cast<double>(spec.fan_in()))};
  spec.bias = Initial{};
  return spec;
}

/// Squeezed by a 1×1 convolution, expanded by 1×1 and 3×3 ones side by side.
StagePlan fire(int number, std::int64_t inputs, std::int64_t squeeze, std::int64_t expand) {
  const std::string name = fmt::format("features.{}", number);
  const Chain one{conv(name + ".expand1x1", squeeze, expand, 1, 0), Curve{Activation::relu}},
      three{conv(name + ".expand3x3", squeeze, expand, 3, 1), Curve{Activation::relu}};
  return {name,
          fmt::format("fire: 1×1 to {} · 1×1 to {} beside 3×3 to {}", squeeze, expand, expand),
          {conv(name + ".squeeze", inputs, squeeze, 1, 0), Curve{Activation::relu},
           Branches{Branches::Join::concat, {one, three}}}};
}

/// The stage ends with a pool.
StagePlan pooled(StagePlan stage) {
  stage.layers.push_back(halve);
  stage.kind += " · max-pool 3, stride 2";
  return stage;
}

}  // namespace

NetworkPlan plan_squeezenet(const ModelInput& input, double p) {
  NetworkPlan plan{
      {pooled({"features.0",
               "conv 3×3 to 64, stride 2 · relu",
               {conv("features.0", input.channels, 64, 3, 0, 2), Curve{Activation::relu}}}),
       fire(3, 64, 16, 64), pooled(fire(4, 128, 16, 64)), fire(6, 128, 32, 128), pooled(fire(7, 256, 32, 128)),
       fire(9, 256, 48, 192), fire(10, 384, 48, 192), fire(11, 384, 64, 256), fire(12, 512, 64, 256)},
      {"classifier.1"}};
  Conv head = conv("classifier.1", 512, input.classes, 1, 0);
  head.weight = {Initial::Law::normal, 0.01};
  plan.stages.push_back({"classifier.1",
                         fmt::format("dropout {} · conv 1×1 · relu · mean over the image", p),
                         {Drop{p}, head, Curve{Activation::relu}, Shrink{}, Flatten{}}});
  return plan;
}

}  // namespace lockstep
