// The shapes of the custom CNN as a pure function of its configuration: no tensors.
#include <fmt/format.h>

#include "lockstep/core/error.hpp"
#include "lockstep/model/custom_cnn.hpp"

namespace lockstep {
namespace {

[[noreturn]] void reject_small(const CustomCnnConfig& config, const ModelInput& input, std::size_t layer) {
  const std::int64_t smallest = std::int64_t{1} << config.filters.size();
  throw Error(
      fmt::format("an image of side {} is too small: nothing is left for the pool of conv{}", input.side, layer + 1),
      "--filters, --side",
      fmt::format("{} conv layers need a side of at least {}; use fewer filters or a larger --side",
                  config.filters.size(), smallest),
      Exit::usage);
}

class Summary {
 public:
  Summary(const CustomCnnConfig& config, const ModelInput& input)
      : config_(config), channels_(input.channels), side_(input.side) {
    for (std::size_t i = 0; i < config.filters.size(); ++i) add_conv(input, i);
    features_ = channels_ * side_ * side_;
    for (std::size_t i = 0; i < config.dense.size(); ++i) add_dense(i);
    add(custom_cnn_head, "dense", {input.classes}, features_ * input.classes + input.classes, 2 * features_ * input.classes);
  }
  std::vector<LayerSummary> take() { return std::move(layers_); }

 private:
  void add(std::string name, std::string kind, std::vector<std::int64_t> output, std::int64_t parameters,
           std::int64_t flops) {
    layers_.push_back({std::move(name), std::move(kind), std::move(output), parameters, flops});
  }
  std::string block_kind(const std::string& layer, std::size_t activation, double dropout, bool pool) const {
    std::string kind = layer;
    if (config_.batch_norm) kind += " · batch norm";
    kind += fmt::format(" · {}", name_of(config_.activations[activation]));
    if (pool) kind += " · max-pool 2";
    if (dropout > 0) kind += fmt::format(" · dropout {}", dropout);
    return kind;
  }
  void add_conv(const ModelInput& input, std::size_t i) {
    const std::int64_t filters = config_.filters[i], kernel = config_.kernels[i];
    const std::int64_t weights = filters * channels_ * kernel * kernel;
    const std::int64_t flops = 2 * weights * side_ * side_;
    if (side_ < 2) reject_small(config_, input, i);
    side_ /= 2;
    add(fmt::format("conv{}", i + 1), block_kind(fmt::format("conv {0}×{0}", kernel), i, config_.dropout_conv[i], true),
        {filters, side_, side_}, weights + (config_.batch_norm ? 2 * filters : filters), flops);
    channels_ = filters;
  }
  void add_dense(std::size_t i) {
    const std::int64_t width = config_.dense[i], weights = features_ * width;
    add(fmt::format("dense{}", i + 1), block_kind("dense", config_.filters.size() + i, config_.dropout_dense[i], false),
        {width}, weights + (config_.batch_norm ? 2 * width : width), 2 * weights);
    features_ = width;
  }

  const CustomCnnConfig& config_;
  std::int64_t channels_, side_, features_ = 0;
  std::vector<LayerSummary> layers_;
};

}  // namespace

std::vector<LayerSummary> summarise_custom_cnn(const CustomCnnConfig& config, const ModelInput& input) {
  return Summary(config, input).take();
}

}  // namespace lockstep
