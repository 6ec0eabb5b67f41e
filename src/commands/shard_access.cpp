#include "commands/shard_access.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/stopwatch.hpp"
#include "lockstep/data/data_set.hpp"

namespace lockstep {
namespace {

/// The splits a run reads: what it trains on and, if the data set has it, what judges it.
std::vector<std::string> splits_of(const LoaderConfig& config, const Manifest& manifest) {
  std::vector<std::string> splits = joined_splits(config.train_split);
  if (config.eval_split == "none") return splits;
  for (const std::string& name : joined_splits(config.eval_split)) {
    if (manifest.find_split(name) != nullptr && std::ranges::find(splits, name) == splits.end()) splits.push_back(name);
  }
  return splits;
}

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

ShardAccess::ShardAccess(const LoaderConfig& config, const Manifest& manifest, World& world, const Log& log)
    : config_(config),
      manifest_(manifest),
      world_(world),
      log_(log),
      splits_(splits_of(config, manifest)),
      folder_(config.shards) {
  if (!config.stage.empty()) stage();
  if (config.cache == CachePolicy::ram) lock();
}

void ShardAccess::stage() {
  const Stopwatch watch;
  if (world_.local_rank() == 0)
    staged_ = std::make_unique<StagedShards>(config_.data, manifest_, splits_, config_.stage);
  // The folder's name holds the number of the process that made it.
  const std::vector<std::string> folders =
      world_.gather_all(world_.host() + '\n' + (staged_ ? staged_->folder().string() : ""));
  const std::string here = world_.host() + '\n';
  for (const std::string& folder : folders) {
    if (folder.starts_with(here) && folder.size() > here.size()) folder_ = folder.substr(here.size());
  }
  log_.info(fmt::format("staged {:.0f} MiB on each node below {} in {:.1f} s", mib(shard_bytes(manifest_, splits_)),
                        config_.stage.string(), watch.seconds()));
}

void ShardAccess::lock() {
  const Stopwatch watch;
  if (world_.local_rank() == 0) locked_ = std::make_unique<LockedShards>(folder_, manifest_, splits_);
  const std::vector<std::string> refusals = world_.gather_all(locked_ && !locked_->locked() ? world_.host() : "");
  log_.info(fmt::format("read {:.0f} MiB into the memory of each node in {:.1f} s",
                        mib(shard_bytes(manifest_, splits_)), watch.seconds()));
  const auto refused = std::ranges::find_if(refusals, [](const std::string& host) { return !host.empty(); });
  if (refused == refusals.end()) return;
  log_.warning(
      fmt::format("{} does not let this process lock memory (ulimit -l): under pressure the system may push "
                  "the shards out again",
                  *refused));
}

void ShardAccess::opened() {
  if (!config_.stage.empty()) {
    world_.barrier();
    staged_.reset();  // the bytes stay until the last process that has opened them ends
    return;           // and they were compared while they were copied
  }
  if (!config_.check_shards) return;
  check_ = std::make_unique<ShardCheck>(folder_, manifest_, splits_, world_.rank(), world_.size(),
                                        config_.cache != CachePolicy::none);
}

void ShardAccess::rethrow() {
  if (check_) check_->rethrow();
}

std::string ShardAccess::unchecked() const {
  if (!check_ || check_->checked() == check_->shards()) return "";
  return fmt::format(
      "{} of {} shards of this rank were checked before the end: lockstep preprocess --verify does it all",
      check_->checked(), check_->shards());
}

}  // namespace lockstep
