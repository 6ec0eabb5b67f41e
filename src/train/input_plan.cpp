#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/train/trainer.hpp"

namespace lockstep {

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
  plan.scale = channel_scale(config.normalisation, manifest);
  return plan;
}

RunRecord record_of(const RunConfig& config, const Manifest& manifest, const InputPlan& input, std::int64_t ranks) {
  RunRecord record;
  record.data = std::filesystem::absolute(config.loader.data).lexically_normal().string();
  record.data_digest = manifest.digest();
  record.classes = manifest.classes;
  record.packed = manifest.shape;
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
