#include "lockstep/model/resnet.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>

#include "lockstep/model/batch_norm.hpp"
#include "model/initial_weights.hpp"
#include "model/resnet_plan.hpp"

namespace lockstep {
namespace {

/// Where a layer stands: what its initial weights are drawn from.
struct Place {
  std::string prefix;  // of the names below, such as "layer1.0."
  std::uint64_t seed;
  BatchNormStats stats;

  Place below(const std::string& name) const { return {prefix + name + ".", seed, stats}; }
};

/// Into how many bands of rows to cut each of `samples` images, `height` rows high, before a 1×1 convolution of stride
/// 1. LibTorch sends one to oneDNN only from 16 samples or with several threads, else to a slower product of matrices;
/// bands of the same memory pass for samples (a ResNet50's step of 8 images on one thread, 2026-11-21: see the README).
std::int64_t bands_of(std::int64_t samples, std::int64_t height) {
  if (samples == 0 || samples >= 16 || at::get_num_threads() > 1) return 1;
  std::int64_t bands = 1;
  while (bands < height && (samples * bands < 16 || height % bands != 0)) ++bands;
  return bands;
}

/// Images [n, c, h, w], channels-last, as [n·bands, c, h / bands, w] and back: views.
at::Tensor with_samples(const at::Tensor& images, std::int64_t samples, std::int64_t height) {
  return images.permute({0, 2, 3, 1}).reshape({samples, height, images.size(3), images.size(1)}).permute({0, 3, 1, 2});
}

class Convolution : public torch::nn::Module {
 public:
  Convolution(const ConvSpec& spec, const Place& place) : stride_(spec.stride), padding_(spec.kernel / 2) {
    const double deviation = std::sqrt(2.0 / static_cast<double>(spec.outputs * spec.kernel * spec.kernel));
    const at::Tensor initial = normal_weights({spec.outputs, spec.inputs, spec.kernel, spec.kernel}, deviation,
                                              place.seed, place.prefix + "weight");
    weight_ = register_parameter("weight", initial.contiguous(at::MemoryFormat::ChannelsLast));
  }
  at::Tensor forward(const at::Tensor& x) const {
    const std::int64_t samples = x.size(0), height = x.size(2);
    const bool pointwise = padding_ == 0 && stride_ == 1 && x.is_cpu();
    const std::int64_t bands = pointwise ? bands_of(samples, height) : 1;
    if (bands == 1) return at::conv2d(x, weight_, {}, stride_, padding_);
    return with_samples(at::conv2d(with_samples(x, samples * bands, height / bands), weight_), samples, height);
  }

 private:
  at::Tensor weight_;
  std::int64_t stride_, padding_;
};

class Dense : public torch::nn::Module {
 public:
  Dense(std::int64_t inputs, std::int64_t outputs, const Place& place) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
    weight_ =
        register_parameter("weight", uniform_weights({outputs, inputs}, bound, place.seed, place.prefix + "weight"));
    bias_ = register_parameter("bias", uniform_weights({outputs}, bound, place.seed, place.prefix + "bias"));
  }
  at::Tensor forward(const at::Tensor& x) const { return at::linear(x, weight_, bias_); }

 private:
  at::Tensor weight_, bias_;
};

/// A convolution and the batch norm behind it, which the owner registers under two names.
struct NormedConvolution {
  std::shared_ptr<Convolution> conv;
  std::shared_ptr<BatchNormActivation> norm;

  NormedConvolution(torch::nn::Module& owner, const std::string& conv_name, const std::string& norm_name,
                    const ConvSpec& spec, std::optional<Activation> activation, const Place& place)
      : conv(owner.register_module(conv_name, std::make_shared<Convolution>(spec, place.below(conv_name)))),
        norm(owner.register_module(norm_name,
                                   std::make_shared<BatchNormActivation>(spec.outputs, activation, place.stats))) {}

  at::Tensor forward(const at::Tensor& x, const BatchContext& context) const {
    return norm->forward(conv->forward(x), context);
  }
};

class Shortcut : public torch::nn::Module {
 public:
  Shortcut(const ConvSpec& spec, const Place& place) : layer_(*this, "0", "1", spec, std::nullopt, place) {}
  at::Tensor forward(const at::Tensor& x, const BatchContext& context) const { return layer_.forward(x, context); }

 private:
  NormedConvolution layer_;
};

class ResidualBlock : public torch::nn::Module {
 public:
  ResidualBlock(const BlockSpec& spec, const Place& place) {
    for (std::size_t i = 0; i < spec.convs.size(); ++i) {
      const bool last = i + 1 == spec.convs.size();
      const std::string number = std::to_string(i + 1);
      layers_.emplace_back(*this, "conv" + number, "bn" + number, spec.convs[i],
                           last ? std::nullopt : std::optional(Activation::relu), place);
    }
    if (!spec.has_shortcut) return;
    shortcut_ = register_module("downsample", std::make_shared<Shortcut>(spec.shortcut, place.below("downsample")));
  }

  at::Tensor forward(const at::Tensor& x, const BatchContext& context) const {
    at::Tensor y = x;
    for (const NormedConvolution& layer : layers_) y = layer.forward(y, context);
    // in place: the last batch norm's output is kept by nobody else, its backward works from its input
    return y.add_(shortcut_ ? shortcut_->forward(x, context) : x).relu_();
  }

 private:
  std::vector<NormedConvolution> layers_;
  std::shared_ptr<Shortcut> shortcut_;
};

class ResNet final : public Model {
 public:
  ResNet(const ResNetPlan& plan, const ModelInput& input, const Place& place) {
    const NormedConvolution stem(*this, "conv1", "bn1", plan.stem, Activation::relu, place);
    add_stage({"conv1", {"conv1", "bn1"}, [stem](const at::Tensor& x, const BatchContext& context) {
                 return at::max_pool2d(stem.forward(x, context), {3, 3}, {2, 2}, {1, 1});
               }});
    for (const BlockSpec& spec : plan.blocks) add_block(spec, place);
    const auto head = register_module("fc", std::make_shared<Dense>(plan.features, input.classes, place.below("fc")));
    add_stage({"fc", {"fc"}, [head](const at::Tensor& x, const BatchContext&) {
                 return head->forward(x.mean({2, 3}));
               }});
    add_head("fc");
  }

 private:
  void add_block(const BlockSpec& spec, const Place& place) {
    if (!group_ || spec.stage != group_name_) {
      group_name_ = spec.stage;
      group_ = register_module(group_name_, std::make_shared<torch::nn::Module>());
    }
    const Place inside = place.below(spec.stage).below(spec.name);
    const auto block = group_->register_module(spec.name, std::make_shared<ResidualBlock>(spec, inside));
    const std::string name = spec.stage + "." + spec.name;
    add_stage({name, {name}, [block](const at::Tensor& x, const BatchContext& context) {
                 return block->forward(x, context);
               }});
  }

  std::shared_ptr<torch::nn::Module> group_;  // of blocks: layer1 … layer4
  std::string group_name_;
};

}  // namespace

std::shared_ptr<Model> make_resnet(ModelKind kind, const BatchNormStats& stats, const ModelInput& input,
                                   std::uint64_t seed) {
  return std::make_shared<ResNet>(plan_resnet(kind, input), input, Place{"", seed, stats});
}

}  // namespace lockstep
