#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/train/trainer.hpp"

namespace lockstep {

namespace {

/// Numbers for three channels serve one by their mean: what was summed over the channels of weights expects that.
std::vector<float> levels_of(std::vector<double> values, std::int64_t channels, const std::filesystem::path& data) {
  if (values.size() == 3 && channels == 1) values = {(values[0] + values[1] + values[2]) / 3};
  if (std::ssize(values) != channels) {
    throw usage_error(fmt::format("a normalisation of {} channel for images of {}", values.size(), channels),
                      "--normalise, " + data.string(), "give a mean and a standard deviation for each channel");
  }
  std::vector<float> levels;
  for (const double value : values) levels.push_back(static_cast<float>(255 * value));
  return levels;
}

ChannelScale scale_of(const LoaderConfig& config, const Manifest& manifest) {
  if (config.normalisation != Normalisation::given) return channel_scale(config.normalisation, manifest);
  const std::int64_t channels = manifest.shape.channels;
  return {levels_of(config.input_mean, channels, config.data), levels_of(config.input_std, channels, config.data)};
}

/// How packing brought images to their size, as --resize says it.
std::string packed_resize(const Manifest& manifest) {
  const auto said = manifest.settings.find("resize");
  return said == manifest.settings.end() ? std::string(RunRecord::usual_resize) : said->second;
}

}  // namespace

InputPlan plan_input(const LoaderConfig& config, const Manifest& manifest) {
  const ImageShape& packed = manifest.shape;
  if (packed.height != packed.width) {
    throw Error(fmt::format("images of {}×{} pixels; training takes square ones", packed.height, packed.width),
                config.data.string(), "pack the data set again with --side");
  }
  InputPlan plan;
  plan.side = config.side == 0 ? packed.width : config.side;
  plan.eval_resize = config.eval_resize == 0 ? std::max(packed.width, plan.side) : config.eval_resize;
  if (plan.eval_resize < plan.side) {
    throw usage_error(fmt::format("--eval-resize {} is smaller than the side {}", plan.eval_resize, plan.side),
                      "--eval-resize", fmt::format("give at least {}", plan.side));
  }
  plan.scale = scale_of(config, manifest);
  return plan;
}

WeightsOrigin origin_of(const RunConfig& config, const Manifest& manifest, const InputPlan& input) {
  WeightsOrigin origin{std::string(name_of(config.model.kind))};
  if (config.model.kind == ModelKind::custom) origin.layers = layer_options(config.model.custom);
  origin.classes = manifest.classes;
  origin.channels = manifest.shape.channels;
  origin.packed_side = manifest.shape.width;
  origin.packed_resize = packed_resize(manifest);
  origin.side = input.side;
  origin.eval_resize = input.eval_resize;
  return origin;
}

RunRecord record_of(const RunConfig& config, const Manifest& manifest, const InputPlan& input, std::int64_t ranks) {
  RunRecord record;
  record.data = std::filesystem::absolute(config.loader.data).lexically_normal().string();
  record.data_digest = manifest.digest();
  record.classes = manifest.classes;
  record.packed = manifest.shape;
  record.resize = packed_resize(manifest);
  record.side = input.side;
  record.eval_resize = input.eval_resize;
  record.mean = input.scale.mean;
  record.std = input.scale.std;
  record.ranks = ranks;
  record.threads_per_rank = config.threads;
  record.device = name_of(config.device);
  return record;
}

}  // namespace lockstep
