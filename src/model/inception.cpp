// Inception V3 (Szegedy et al., 2015) as torchvision builds it, with its auxiliary head. Its batch norms use ε 1e-3.
//
// torchvision's transform_input, which it switches on with its published weights, is not part of the network: it turns
// images normalised as ImageNet's into (pixel − 0.5) / 0.5, which is --normalise symmetric. The auxiliary head's 5×5
// convolution needs images of 299 pixels; for smaller ones the network is torchvision's with aux_logits=False.
#include <fmt/format.h>

#include "model/network_plan.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t auxiliary_side = 299;  // the least that leaves 5×5 pixels for the head's second convolution

/// A convolution of a branch: what torchvision's BasicConv2d is called, and what it does.
struct Part {
  std::string name;
  std::int64_t outputs, rows, columns, padding = 0, stride = 1;  ///< padding: of the longer side of the kernel
};

/// Adds a convolution, its batch norm and relu to `chain`; returns the channels behind it.
std::int64_t add(Chain& chain, const std::string& prefix, std::int64_t inputs, const Part& part) {
  const std::string name = prefix + part.name;
  Conv conv{name + ".conv", inputs, part.outputs, {part.rows, part.columns}, {}, part.stride};
  for (std::size_t axis = 0; axis < 2; ++axis) conv.padding[axis] = conv.kernel[axis] == 1 ? 0 : part.padding;
  conv.weight = {Initial::Law::normal, 0.1};
  chain.push_back(conv);
  chain.push_back(Norm{name + ".bn", part.outputs, Activation::relu, {1e-3, 0.1}});
  return part.outputs;
}

/// A module of the network under construction: its branches from the same input, one after the other.
class Mixed {
 public:
  Mixed(std::string name, std::int64_t inputs) : prefix_(std::move(name) + "."), inputs_(inputs) {}

  Chain chain(const std::vector<Part>& parts) {
    Chain chain;
    std::int64_t channels = inputs_;
    for (const Part& part : parts) channels = add(chain, prefix_, channels, part);
    return chain;
  }
  /// `parts`, then `left` and `right` side by side.
  Chain forked(const std::vector<Part>& parts, const Part& left, const Part& right) {
    Chain chain = this->chain(parts), one, other;
    add(one, prefix_, parts.back().outputs, left);
    add(other, prefix_, parts.back().outputs, right);
    chain.push_back(Branches{Branches::Join::concat, {one, other}});
    return chain;
  }
  Chain pooled(std::int64_t outputs) {
    Chain chain{Pool{Pool::Kind::mean, 3, 1, 1}};
    add(chain, prefix_, inputs_, {"branch_pool", outputs, 1, 1});
    return chain;
  }
  StagePlan stage(const std::string& kind, std::vector<Chain> branches) const {
    return {prefix_.substr(0, prefix_.size() - 1), kind, {Branches{Branches::Join::concat, std::move(branches)}}};
  }

 private:
  std::string prefix_;
  std::int64_t inputs_;
};

const Chain halve{Pool{Pool::Kind::max, 3, 2}};

// The five kinds of modules, A to E as torchvision calls them.

StagePlan mixed_a(const std::string& name, std::int64_t inputs, std::int64_t pool) {
  Mixed mixed(name, inputs);
  return mixed.stage(
      fmt::format("1×1 | 5×5 | 3×3, 3×3 | mean: to {}", 224 + pool),
      {mixed.chain({{"branch1x1", 64, 1, 1}}), mixed.chain({{"branch5x5_1", 48, 1, 1}, {"branch5x5_2", 64, 5, 5, 2}}),
       mixed.chain({{"branch3x3dbl_1", 64, 1, 1}, {"branch3x3dbl_2", 96, 3, 3, 1}, {"branch3x3dbl_3", 96, 3, 3, 1}}),
       mixed.pooled(pool)});
}

StagePlan mixed_b(const std::string& name, std::int64_t inputs) {
  Mixed mixed(name, inputs);
  return mixed.stage(
      fmt::format("3×3 | 3×3, 3×3 | max-pool, stride 2: to {}", 480 + inputs),
      {mixed.chain({{"branch3x3", 384, 3, 3, 0, 2}}),
       mixed.chain({{"branch3x3dbl_1", 64, 1, 1}, {"branch3x3dbl_2", 96, 3, 3, 1}, {"branch3x3dbl_3", 96, 3, 3, 0, 2}}),
       halve});
}

StagePlan mixed_c(const std::string& name, std::int64_t inputs, std::int64_t inner) {
  Mixed mixed(name, inputs);
  return mixed.stage(
      fmt::format("1×1 | 1×7, 7×1 | twice 7×1, 1×7 | mean: {} to 768", inner),
      {mixed.chain({{"branch1x1", 192, 1, 1}}),
       mixed.chain({{"branch7x7_1", inner, 1, 1}, {"branch7x7_2", inner, 1, 7, 3}, {"branch7x7_3", 192, 7, 1, 3}}),
       mixed.chain({{"branch7x7dbl_1", inner, 1, 1},
                    {"branch7x7dbl_2", inner, 7, 1, 3},
                    {"branch7x7dbl_3", inner, 1, 7, 3},
                    {"branch7x7dbl_4", inner, 7, 1, 3},
                    {"branch7x7dbl_5", 192, 1, 7, 3}}),
       mixed.pooled(192)});
}

StagePlan mixed_d(const std::string& name, std::int64_t inputs) {
  Mixed mixed(name, inputs);
  return mixed.stage(fmt::format("3×3 | 1×7, 7×1, 3×3 | max-pool, stride 2: to {}", 512 + inputs),
                     {mixed.chain({{"branch3x3_1", 192, 1, 1}, {"branch3x3_2", 320, 3, 3, 0, 2}}),
                      mixed.chain({{"branch7x7x3_1", 192, 1, 1},
                                   {"branch7x7x3_2", 192, 1, 7, 3},
                                   {"branch7x7x3_3", 192, 7, 1, 3},
                                   {"branch7x7x3_4", 192, 3, 3, 0, 2}}),
                      halve});
}

StagePlan mixed_e(const std::string& name, std::int64_t inputs) {
  Mixed mixed(name, inputs);
  return mixed.stage(
      "1×1 | 1×3 beside 3×1 | 3×3, 1×3 beside 3×1 | mean: to 2048",
      {mixed.chain({{"branch1x1", 320, 1, 1}}),
       mixed.forked({{"branch3x3_1", 384, 1, 1}}, {"branch3x3_2a", 384, 1, 3, 1}, {"branch3x3_2b", 384, 3, 1, 1}),
       mixed.forked({{"branch3x3dbl_1", 448, 1, 1}, {"branch3x3dbl_2", 384, 3, 3, 1}},
                    {"branch3x3dbl_3a", 384, 1, 3, 1}, {"branch3x3dbl_3b", 384, 3, 1, 1}),
       mixed.pooled(192)});
}

StagePlan stem(std::int64_t inputs, const Part& part, bool pool) {
  StagePlan stage{part.name, fmt::format("conv {}×{} to {} · batch norm · relu{}", part.rows, part.columns,
                                         part.outputs, pool ? " · max-pool 3, stride 2" : "")};
  add(stage.layers, "", inputs, part);
  if (pool) stage.layers.push_back(halve.front());
  return stage;
}

Dense head(const std::string& name, std::int64_t inputs, std::int64_t classes, double deviation) {
  return {name, inputs, classes, {Initial::Law::normal, deviation}, torch_default(inputs)};
}

AuxiliaryPlan auxiliary(std::int64_t inputs, std::int64_t classes) {
  AuxiliaryPlan plan{"AuxLogits",
                     "auxiliary head, in training: mean 5, stride 3 · 1×1 · 5×5 · mean · dense",
                     {Pool{Pool::Kind::mean, 5, 3}}};
  add(plan.layers, "AuxLogits.", inputs, {"conv0", 128, 1, 1});
  add(plan.layers, "AuxLogits.", 128, {"conv1", 768, 5, 5});
  plan.layers.insert(plan.layers.end(), {Shrink{}, Flatten{}, head("AuxLogits.fc", 768, classes, 0.001)});
  return plan;
}

}  // namespace

NetworkPlan plan_inception(const ModelInput& input, double p) {
  NetworkPlan plan{
      {stem(input.channels, {"Conv2d_1a_3x3", 32, 3, 3, 0, 2}, false), stem(32, {"Conv2d_2a_3x3", 32, 3, 3}, false),
       stem(32, {"Conv2d_2b_3x3", 64, 3, 3, 1}, true), stem(64, {"Conv2d_3b_1x1", 80, 1, 1}, false),
       stem(80, {"Conv2d_4a_3x3", 192, 3, 3}, true), mixed_a("Mixed_5b", 192, 32), mixed_a("Mixed_5c", 256, 64),
       mixed_a("Mixed_5d", 288, 64), mixed_b("Mixed_6a", 288), mixed_c("Mixed_6b", 768, 128),
       mixed_c("Mixed_6c", 768, 160), mixed_c("Mixed_6d", 768, 160), mixed_c("Mixed_6e", 768, 192),
       mixed_d("Mixed_7a", 768), mixed_e("Mixed_7b", 1280), mixed_e("Mixed_7c", 2048)},
      {"fc"}};
  if (input.side >= auxiliary_side) {
    StagePlan& after_6e = *(plan.stages.end() - 3);
    after_6e.auxiliary = auxiliary(768, input.classes);
    after_6e.modules = {"AuxLogits", after_6e.name};
    plan.heads.insert(plan.heads.begin(), "AuxLogits.fc");
  } else {
    plan.left_out = {"AuxLogits"};
  }
  StagePlan& last = plan.stages.back();
  last.layers.insert(last.layers.end(), {Shrink{}, Flatten{}});
  last.kind += " · mean over the image";
  plan.stages.push_back({"fc", fmt::format("dropout {} · dense", p), {Drop{p}, head("fc", 2048, input.classes, 0.1)}});
  return plan;
}

}  // namespace lockstep
