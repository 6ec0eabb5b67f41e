#include "lockstep/model/custom_cnn.hpp"

#include <fmt/format.h>

#include <cmath>

#include "lockstep/model/batch_norm.hpp"
#include "lockstep/model/dropout.hpp"
#include "model/initial_weights.hpp"

namespace lockstep {
namespace {

/// One block: the affine layer, then batch norm with activation or activation alone.
class Block : public torch::nn::Module {
 public:
  struct Spec {
    std::string name;
    std::vector<std::int64_t> weight_shape;  // [out, in] or [out, in, k, k]
    std::optional<Activation> activation;    // none: the output layer
    bool batch_norm;
    BatchNormStats stats;
    std::uint64_t seed;
  };

  explicit Block(const Spec& spec) : activation_(spec.activation) {
    const std::int64_t outputs = spec.weight_shape[0];
    std::int64_t fan_in = 1;
    for (std::size_t i = 1; i < spec.weight_shape.size(); ++i) fan_in *= spec.weight_shape[i];
    const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
    at::Tensor initial = uniform_weights(spec.weight_shape, bound, spec.seed, spec.name + ".weight");
    if (initial.dim() == 4) initial = initial.contiguous(at::MemoryFormat::ChannelsLast);
    weight_ = register_parameter("weight", initial);
    if (spec.batch_norm) {
      norm_ = register_module("norm", std::make_shared<BatchNormActivation>(outputs, spec.activation, spec.stats));
    } else {
      bias_ = register_parameter("bias", uniform_weights({outputs}, bound, spec.seed, spec.name + ".bias"));
    }
  }

  at::Tensor forward(const at::Tensor& x, const BatchContext& context) {
    const std::int64_t padding = weight_.dim() == 4 ? weight_.size(2) / 2 : 0;
    const at::Tensor y = weight_.dim() == 4 ? at::conv2d(x, weight_, bias_, 1, padding) : at::linear(x, weight_, bias_);
    if (norm_) return norm_->forward(y, context);
    return activation_ ? activate(y, *activation_) : y;
  }

 private:
  std::optional<Activation> activation_;
  at::Tensor weight_, bias_;
  std::shared_ptr<BatchNormActivation> norm_;
};

class CustomCnn final : public Model {
 public:
  CustomCnn(const CustomCnnConfig& config, const BatchNormStats& stats, const ModelInput& input, std::uint64_t seed)
      : config_(config) {
    const std::vector<LayerSummary> layers = summarise_custom_cnn(config, input);  // checks the sides
    std::int64_t width = input.channels;
    for (std::size_t i = 0; i < config.filters.size(); ++i) {
      const std::int64_t kernel = config.kernels[i];
      add(convs_, {fmt::format("conv{}", i + 1),
                   {config.filters[i], width, kernel, kernel},
                   config.activations[i],
                   config.batch_norm,
                   stats,
                   seed});
      width = config.filters[i];
    }
    const std::vector<std::int64_t>& last = layers[config.filters.size() - 1].output;
    width = last[0] * last[1] * last[2];
    for (std::size_t i = 0; i < config.dense.size(); ++i) {
      add(denses_, {fmt::format("dense{}", i + 1),
                    {config.dense[i], width},
                    config.activations[config.filters.size() + i],
                    config.batch_norm,
                    stats,
                    seed});
      width = config.dense[i];
    }
    add(output_, {"output", {input.classes, width}, std::nullopt, false, {}, seed});
  }

  at::Tensor forward(const at::Tensor& images, const BatchContext& context) override {
    at::Tensor x = images;
    std::uint32_t layer = 0;
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      x = at::max_pool2d(convs_[i]->forward(x, context), {2, 2});
      x = dropout(x, config_.dropout_conv[i], layer++, context);
    }
    x = x.flatten(1);
    for (std::size_t i = 0; i < denses_.size(); ++i) {
      x = dropout(denses_[i]->forward(x, context), config_.dropout_dense[i], layer++, context);
    }
    return output_.front()->forward(x, context);
  }

 private:
  using Blocks = std::vector<std::shared_ptr<Block>>;
  void add(Blocks& blocks, const Block::Spec& spec) {
    blocks.push_back(register_module(spec.name, std::make_shared<Block>(spec)));
  }

  CustomCnnConfig config_;
  Blocks convs_, denses_, output_;
};

}  // namespace

std::shared_ptr<Model> make_custom_cnn(const CustomCnnConfig& config, const BatchNormStats& stats,
                                       const ModelInput& input, std::uint64_t seed) {
  return std::make_shared<CustomCnn>(config, stats, input, seed);
}

}  // namespace lockstep
