#include "train/training_input.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/features/feature_feed.hpp"

namespace lockstep {
namespace {

void check_ranks(const RunConfig& config, const DataSplit& split, int ranks) {
  const std::int64_t useful = std::min(config.batch, split.samples());
  if (ranks > useful) {
    throw Error(
        fmt::format("{} ranks for a global batch of {} samples (split '{}' has {})", ranks, config.batch, split.name(),
                    split.samples()),
        "mpirun -np, --batch",
        fmt::format("use at most {} ranks{}", useful, config.batch < split.samples() ? " or a larger --batch" : ""),
        Exit::usage);
  }
}

/// Groups are not cut, so few groups leave ranks without work for the whole run: allowed, but surely not meant.
void warn_of_idle_ranks(const RunConfig& config, const StepPlan& plan, int ranks, const Log& log) {
  const auto groups = static_cast<std::int64_t>(plan.groups(0).size());
  if (ranks <= groups || ranks == 1) return;
  log.info(
      fmt::format("warning: a step has {} batch-norm groups for {} ranks: {} of them have nothing to do (--batch {}, "
                  "--batch-norm-stats)",
                  groups, ranks, ranks - groups, config.batch));
}

void check_labels(const DataSplit& split, const std::filesystem::path& folder) {
  for (std::int64_t position = 0; position < split.samples(); ++position) {
    if (split.label(position) >= 0) continue;
    throw Error(fmt::format("sample {} of split '{}' has no label", split.id(position), split.name()), folder.string(),
                "train on a split whose samples are labelled");
  }
}

/// Found before the first epoch, not after it.
void check_some_labels(const DataSplit& split, const std::filesystem::path& folder) {
  for (std::int64_t position = 0; position < split.samples(); ++position) {
    if (split.label(position) >= 0) return;
  }
  throw Error(fmt::format("split '{}' has no labels to judge by", split.name()), folder.string(),
              "judge on another split, or on none (--eval-split none)");
}

/// A score on samples that were trained on is no judgement.
void check_judge(const LoaderConfig& config) {
  const std::vector<std::string> trained = joined_splits(config.train_split);
  for (const std::string& judge : joined_splits(config.eval_split)) {
    if (std::ranges::find(trained, judge) == trained.end()) continue;
    throw usage_error(fmt::format("split '{}' would be trained on and judge the result", judge), "--eval-split",
                      "judge on another split, or on none (--eval-split none)");
  }
}

void require_memory(std::size_t window_bytes) {
  const auto available = static_cast<std::size_t>(available_memory_bytes());
  if (window_bytes <= available) return;
  throw Error(fmt::format("two windows take {} MiB on each rank, {} MiB of memory are available on {}",
                          (window_bytes >> 20) + 1, available >> 20, host_name()),
              "--shuffle-window", "give a smaller window, more ranks or more memory");
}

std::optional<DataSplit> open_judge(const LoaderConfig& config, const Manifest& manifest) {
  if (config.eval_split == "none") return std::nullopt;
  for (const std::string& name : joined_splits(config.eval_split)) {
    if (manifest.find_split(name) == nullptr) return std::nullopt;
  }
  check_judge(config);
  return std::optional<DataSplit>(std::in_place, config.shards, manifest, config.eval_split, config.cache);
}

}  // namespace

TrainingInput::TrainingInput(const RunConfig& config, const Manifest& manifest, int ranks, const Log& log)
    : config_(config),
      packed_(manifest.shape),
      input_(plan_input(config.loader, manifest)),
      train_(config.loader.shards, manifest, config.loader.train_split, config.loader.cache),
      judged_(open_judge(config.loader, manifest)),
      transform_(manifest.shape, input_.side, input_.scale),
      batches_(train_, config.loader, config.batch, config.model.batch_norm_stats.granularity(), config.seed) {
  check_ranks(config, train_, ranks);
  check_labels(train_, config.loader.data);
  if (judged_) check_some_labels(*judged_, config.loader.data);
  if (config.model.has_batch_norm()) warn_of_idle_ranks(config, plan(), ranks, log);
}

std::int64_t TrainingInput::steps() const {
  const std::int64_t by_epochs = config_.epochs * plan().steps();
  return config_.max_steps == 0 ? by_epochs : std::min(by_epochs, config_.max_steps);
}

std::int64_t TrainingInput::views() const {
  return config_.loader.augmentation.on ? config_.loader.augmentation.fixed_views : 1;
}

Augmentation TrainingInput::augment(std::int64_t epoch, std::int64_t id, std::int32_t copy) const {
  return views() > 0 ? draw(fixed_view(epoch, copy, views()), id, 0) : draw(epoch, id, copy);
}

Augmentation TrainingInput::draw(std::int64_t epoch, std::int64_t id, std::int32_t copy) const {
  if (config_.loader.augmentation.on)
    return draw_augmentation(config_.loader.augmentation, config_.seed, epoch, id, packed_.height, packed_.width, copy);
  Augmentation centred;
  centred.crop = centre_crop(packed_.height, packed_.width, input_.eval_resize, input_.side);
  return centred;
}

SampleDraws TrainingInput::draws() const {
  return {[this](std::int64_t epoch, std::int64_t id, std::int32_t copy) { return augment(epoch, id, copy); },
          [this](std::int64_t epoch, std::int64_t id, std::int32_t copy) {
            return draw_mix(config_.loader.mix, config_.seed, epoch, id, copy, input_.side);
          }};
}

/// The order of an epoch is made when its first request is asked for.
BatchRequests TrainingInput::requests(std::int64_t first, int rank, int ranks) const {
  return [=, this, next = first, order = EpochOrder(),
          ordered = std::int64_t{-1}]() mutable -> std::optional<BatchRequest> {
    if (next == steps()) return std::nullopt;
    const std::int64_t epoch = next / plan().steps(), step = next % plan().steps();
    if (epoch != ordered) {
      order = batches_.order(epoch);
      if (blocks_) blocks_->announce(batches_.positions_read(order, step, rank, ranks));
    }
    ordered = epoch;
    ++next;
    return batches_.request(order, epoch, step, rank, ranks);
  };
}

std::unique_ptr<Loader> TrainingInput::load_from(std::int64_t first, int rank, int ranks, c10::Device device) {
  const LoaderConfig& config = config_.loader;
  if (!batches_.blocks().empty()) {
    require_memory(batches_.bytes_ahead(ranks));
    blocks_ = std::make_unique<BlockReader>(train_, batches_.blocks(), batches_.bytes_ahead(ranks));
  }
  const StoredSamples& samples = blocks_ ? static_cast<const StoredSamples&>(*blocks_) : train_;
  const LoaderSettings settings{config.threads == 0 ? config_.threads : config.threads, config.prefetch, config.slot,
                                device};
  return std::make_unique<Loader>(train_, samples, transform_, draws(), requests(first, rank, ranks), settings);
}

}  // namespace lockstep
