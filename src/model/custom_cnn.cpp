#include "lockstep/model/custom_cnn.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

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
  CustomCnn(const CustomCnnConfig& config, const BatchNormStats& stats, const ModelInput& input, std::uint64_t seed) {
    const std::vector<LayerSummary> layers = summarise_custom_cnn(config, input);  // checks the sides
    std::int64_t width = input.channels;
    for (std::size_t i = 0; i < config.filters.size(); ++i) {
      const std::int64_t kernel = config.kernels[i];
      add(Kind::conv, config.dropout_conv[i],
          {fmt::format("conv{}", i + 1),
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
      add(Kind::dense, config.dropout_dense[i],
          {fmt::format("dense{}", i + 1),
           {config.dense[i], width},
           config.activations[config.filters.size() + i],
           config.batch_norm,
           stats,
           seed});
      width = config.dense[i];
    }
    add(Kind::dense, 0, {custom_cnn_head, {input.classes, width}, std::nullopt, false, {}, seed});
    add_head(custom_cnn_head);
  }

 private:
  enum class Kind { conv, dense };

  /// A block as a stage: the dropout of the block before, then the block. `drop`: of its own dropout.
  void add(Kind kind, double drop, const Block::Spec& spec) {
    const auto block = register_module(spec.name, std::make_shared<Block>(spec));
    const auto number = static_cast<std::uint32_t>(stages().size());
    const double before = std::exchange(last_drop_, drop);
    add_stage({spec.name,
               {spec.name},
               [block, kind, number, before](const at::Tensor& x, const BatchContext& context) {
                 const at::Tensor kept = number == 0 ? x : dropout(x, before, number - 1, context);
                 if (kind == Kind::conv) return at::max_pool2d(block->forward(kept, context), {2, 2});
                 return block->forward(kept.flatten(1), context);
               },
               before > 0});
  }

  double last_drop_ = 0;
};

}  // namespace

std::shared_ptr<Model> make_custom_cnn(const CustomCnnConfig& config, const BatchNormStats& stats,
                                       const ModelInput& input, std::uint64_t seed) {
  return std::make_shared<CustomCnn>(config, stats, input, seed);
}

}  // namespace lockstep
