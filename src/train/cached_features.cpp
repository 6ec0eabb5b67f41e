#include "train/cached_features.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "lockstep/comm/broadcast_text.hpp"
#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/core/process_folder.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/features/feature_feed.hpp"
#include "lockstep/features/frozen_prefix.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

constexpr int features_version = 1;                     // of what the folder's name stands for
constexpr const char* memory_file_system = "/dev/shm";  // files in memory, for all processes of the machine

/// The ranks of this machine, in their order.
std::unique_ptr<Communicator> ranks_of_machine(Communicator& control) {
  const auto name = static_cast<std::int64_t>(Digest().add(host_name()).value());
  const at::Tensor mine = at::full({1}, name, at::kLong);
  at::Tensor all = at::empty({control.size()}, at::kLong);
  control.gather_all(mine, all).wait();
  const std::int64_t* names = all.const_data_ptr<std::int64_t>();
  const auto first = std::find(names, names + control.size(), name) - names;
  return control.split(static_cast<int>(first), control.rank());
}

void require_room(std::int64_t bytes, const fs::path& folder, bool in_memory) {
  const auto room = static_cast<std::int64_t>(free_bytes(folder));
  const std::int64_t available = in_memory ? std::min(room, available_memory_bytes()) : room;
  if (bytes <= available) return;
  throw Error(
      fmt::format("the features take {} MiB, {} MiB are free on {}", (bytes >> 20) + 1, available >> 20, host_name()),
      in_memory ? "--feature-cache memory" : "--feature-folder " + folder.string(),
      in_memory ? "keep them on disk (--feature-cache disk --feature-folder DIR), freeze more, or use fewer "
                  "--fixed-views"
                : "free space there, or name another folder");
}

std::string text_of(const ChannelScale& scale) {
  std::string text;
  for (std::size_t c = 0; c < scale.mean.size(); ++c) text += fmt::format("{:a} {:a} ", scale.mean[c], scale.std[c]);
  return text;
}

/// What of a network its weights do not say.
std::string text_of(const ModelConfig& config) {
  std::string text(name_of(config.kind));
  if (config.kind != ModelKind::custom) return text;
  for (const Activation activation : config.custom.activations) text += fmt::format(" {}", name_of(activation));
  return text;
}

/// How training sees its images, apart from the draws: what the options say.
std::string text_of(const AugmentationConfig& config, std::uint64_t seed) {
  if (!config.on) return "centre";
  return fmt::format("augmented {} {} {} {} {} {} {} {} {} {} {} {} {} {} seed {}", config.crop_scale[0],
                     config.crop_scale[1], config.crop_ratio[0], config.crop_ratio[1], config.flip,
                     config.vertical_flip, config.rotation, config.scaling, config.translation, config.colour_jitter,
                     config.randaugment_ops, config.randaugment_magnitude, config.random_erasing, config.fixed_views,
                     seed);
}

}  // namespace

std::size_t stages_to_keep(const Model& model) {
  const std::size_t stages = frozen_stages(model);
  if (stages > 0) return stages;
  throw usage_error("no first part of the network is frozen whole, so there is nothing to keep", "--feature-cache",
                    "freeze it (--freeze-fraction), or leave the cache out");
}

CachedFeatures::CachedFeatures(const RunConfig& config, Model& model, const TrainingInput& input,
                               const std::string& data_digest, Communicator& control, const Log& log)
    : config_(config), model_(model), input_(input), stages_(stages_to_keep(model)) {
  const Stopwatch watch;
  const bool in_memory = config.features.place == FeatureCacheConfig::Place::memory;
  prefix_ = text_of(config.model) + " " + prefix_digest(model, stages_) + " " + data_digest;
  // In memory each machine has its own, made by its own ranks; on disk all ranks make one.
  const std::unique_ptr<Communicator> machine = in_memory ? ranks_of_machine(control) : nullptr;
  Communicator& builders = in_memory ? *machine : control;
  std::optional<ProcessFolder> own;
  if (in_memory && builders.rank() == 0) own.emplace(memory_file_system);
  place_ = in_memory ? fs::path(broadcast_text(builders, own ? own->path().string() : "")) : config.features.folder;
  const std::string about = fmt::format("side {} resize {} scale {}", input.input().side, input.input().eval_resize,
                                        text_of(input.input().scale));
  train_.emplace(plan({input.train(), input.transform(), input.views(),
                       [&input](std::int64_t view, std::int64_t id) { return input.augment_view(view, id); }},
                      about + " " + text_of(config.loader.augmentation, config.seed)));
  if (const DataSplit* judged = input.judged()) {
    const auto centre = [&input, judged](std::int64_t, std::int64_t) {
      Augmentation none;
      none.crop =
          centre_crop(judged->shape().height, judged->shape().width, input.input().eval_resize, input.input().side);
      return none;
    };
    judged_.emplace(plan({*judged, input.transform(), 1, centre}, about + " centre"));
  }
  if (builders.rank() == 0) {
    make_folder(place_);
    require_room(train_->features.missing_bytes() + (judged_ ? judged_->features.missing_bytes() : 0), place_,
                 in_memory);
  }
  builders.barrier();
  std::int64_t computed = 0;
  for (std::optional<Split>* split : {&train_, &judged_}) {
    if (*split) build(**split, {builders.rank(), builders.size(), config.threads}, computed);
  }
  control.barrier();
  for (std::optional<Split>* split : {&train_, &judged_}) {
    if (*split) (*split)->features.open();
  }
  builders.barrier();  // all have opened them: in memory they need no names any more
  at::Tensor all = at::full({1}, computed, at::kLong);
  control.sum(all).wait();
  const std::int64_t bytes = train_->features.bytes() + (judged_ ? judged_->features.bytes() : 0);
  log.info(fmt::format("features of {} of {} stages: {} MiB {}, {} computed in {:.1f} s", stages_,
                       model.stages().size(), (bytes >> 20) + 1,
                       in_memory ? "in the memory of each machine" : "in " + place_.string(), all.item<std::int64_t>(),
                       watch.seconds()));
}

CachedFeatures::Split CachedFeatures::plan(const FeatureViews& views, const std::string& about) const {
  Digest key;
  key.add(features_version).add(prefix_).add(views.split.name()).add(about);
  const fs::path folder = place_ / ("features-" + key.hex());
  return {views, folder,
          FeatureSet(folder, views.split.name(), views.split.samples(), views.views,
                     feature_shape(model_, stages_, views))};
}

void CachedFeatures::build(Split& split, const Builder& builder, std::int64_t& computed) {
  make_folder(split.folder);
  computed += split.features.build(model_, stages_, split.views, builder);
}

std::unique_ptr<BatchSource> CachedFeatures::training_batches(BatchRequests requests, c10::Device device) const {
  return std::make_unique<FeatureFeed>(train_->features, input_.train(), std::move(requests), device);
}

EvaluationInput CachedFeatures::judged_input(c10::Device device) const {
  const FeatureSet& features = judged_->features;
  const DataSplit& split = *input_.judged();
  return {split,
          [&features, &split, device](BatchRequests requests) {
            return std::make_unique<FeatureFeed>(features, split, std::move(requests), device);
          },
          stages_};
}

}  // namespace lockstep
