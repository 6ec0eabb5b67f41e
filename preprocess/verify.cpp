#include "preprocess/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "lockstep/comm/core_share.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/data/image_table.hpp"
#include "lockstep/data/shard.hpp"
#include "preprocess/audit_command.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

/// What is wrong with one file; the order is that of the report.
struct Damage {
  std::string file, what;
  auto operator<=>(const Damage&) const = default;
};

struct ShardTask {
  const SplitEntry* split;
  const ShardEntry* shard;
};

std::vector<ShardTask> tasks_of(const Manifest& manifest) {
  std::vector<ShardTask> tasks;
  for (const SplitEntry& split : manifest.splits) {
    for (const ShardEntry& shard : split.shards) tasks.push_back({&split, &shard});
  }
  return tasks;
}

Shard open_shard(const fs::path& folder, const Manifest& manifest, const ShardEntry& shard) {
  return {folder / shard.file, shard, manifest.shard_format(), static_cast<std::int64_t>(manifest.classes.size())};
}

/// Checks this rank's shards by several threads.
class ShardChecker {
 public:
  ShardChecker(const fs::path& folder, const Manifest& manifest, const World& world, const Log& log)
      : folder_(folder), manifest_(manifest), log_(log) {
    const std::vector<ShardTask> all = tasks_of(manifest);
    const auto ranks = static_cast<std::size_t>(world.size());
    for (std::size_t at = static_cast<std::size_t>(world.rank()); at < all.size(); at += ranks)
      tasks_.push_back(all[at]);
  }

  std::vector<Damage> run(std::int64_t threads) {
    {
      std::vector<std::jthread> others;
      for (std::int64_t i = 1; i < threads; ++i) others.emplace_back([this] { work(); });
      work();
    }
    log_.finish_progress();
    return std::move(damages_);
  }

 private:
  void work() noexcept {
    for (std::size_t at = next_++; at < tasks_.size(); at = next_++) check(*tasks_[at].shard);
  }

  void check(const ShardEntry& shard) noexcept {
    std::string fault;
    try {
      Shard::verify(folder_ / shard.file, shard);
      open_shard(folder_, manifest_, shard);
    } catch (const Error& error) {
      fault = error.message();
    } catch (const std::exception& error) {
      fault = error.what();
    }
    const std::lock_guard lock(mutex_);
    if (!fault.empty()) damages_.push_back({shard.file, fault});
    bytes_ += static_cast<double>(shard.bytes);
    log_.progress(fmt::format("verified {} of {} shards of this rank · {:.0f} MB/s", ++done_, tasks_.size(),
                              bytes_ / 1e6 / std::max(1e-3, watch_.seconds())));
  }

  const fs::path& folder_;
  const Manifest& manifest_;
  const Log& log_;
  std::vector<ShardTask> tasks_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // guards what follows
  std::vector<Damage> damages_;
  std::size_t done_ = 0;
  double bytes_ = 0;
  Stopwatch watch_;
};

/// Whether the table tells of every image of a shard what the shard does. Shards that cannot be opened are named
/// already.
class TableChecker {
 public:
  TableChecker(const fs::path& folder, const Manifest& manifest) : folder_(folder), manifest_(manifest) {}

  std::vector<Damage> run() {
    try {
      rows_ = rows_of_set(folder_, manifest_);
    } catch (const Error& error) {
      return {{image_table_name, error.message()}};
    }
    met_.assign(rows_.size(), false);
    std::map<std::string, std::int64_t> counts;
    for (const ImageRow& row : rows_) ++counts[std::string(name_of(row.status))];
    if (counts != manifest_.status_counts) add(image_table_name, "other counts of images by status than the manifest");
    bool all_opened = true;
    for (const ShardTask& task : tasks_of(manifest_)) all_opened = check(task) && all_opened;
    if (all_opened) find_missing();
    return std::move(damages_);
  }

 private:
  bool check(const ShardTask& task) {
    try {
      const Shard shard = open_shard(folder_, manifest_, *task.shard);
      for (std::int64_t i = 0; i < shard.samples(); ++i) {
        if (const std::string fault = fault_of(shard.id(i), shard.label(i), task.split->name); !fault.empty()) {
          add(task.shard->file, fmt::format("sample {}: {}", i, fault));
          break;
        }
      }
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  std::string fault_of(std::int64_t id, std::int32_t label, const std::string& split) {
    if (id >= std::ssize(rows_)) return fmt::format("id {}, {} has {} rows", id, image_table_name, rows_.size());
    const auto at = static_cast<std::size_t>(id);
    if (met_[at]) return fmt::format("id {} for the second time", id);
    met_[at] = true;
    const ImageRow& row = rows_[at];
    if (row.status == ImageStatus::ok && row.split == split && row.label == label) return "";
    return fmt::format("id {} is in {} with label {}, {} says {} ({}) with label {}", id, split, label,
                       image_table_name, row.split, name_of(row.status), row.label);
  }

  void find_missing() {
    for (std::size_t id = 0; id < rows_.size(); ++id) {
      if (met_[id] || rows_[id].status != ImageStatus::ok) continue;
      add(image_table_name, fmt::format("image {} ({}) is in no shard", id, rows_[id].path));
      return;
    }
  }

  void add(const std::string& file, const std::string& what) { damages_.push_back({file, what}); }

  const fs::path& folder_;
  const Manifest& manifest_;
  std::vector<ImageRow> rows_;
  std::vector<bool> met_;  // [id], in a shard
  std::vector<Damage> damages_;
};

std::vector<Damage> gather(World& world, const std::vector<Damage>& mine) {
  nlohmann::json list = nlohmann::json::array();
  for (const Damage& one : mine) list.push_back({one.file, one.what});
  std::vector<Damage> all;
  for (const std::string& text :
       world.gather_all(list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))) {
    for (const auto& item : nlohmann::json::parse(text))
      all.push_back({item[0].get<std::string>(), item[1].get<std::string>()});
  }
  std::ranges::sort(all);
  return all;
}

void report(const std::vector<Damage>& damages, const VerifySettings& settings, const Manifest& manifest,
            const Log& log) {
  constexpr std::size_t named = 3;
  std::vector<std::string> files;
  for (const Damage& one : damages) {
    log.error(fmt::format("{}: {}", (settings.data_set / one.file).string(), one.what));
    if (files.empty() || files.back() != one.file) files.push_back(one.file);
  }
  std::int64_t bytes = 0;
  const std::vector<ShardTask> tasks = tasks_of(manifest);
  for (const ShardTask& task : tasks) bytes += task.shard->bytes;
  if (files.empty()) {
    log.info(fmt::format("{}: {} shards of {:.1f} MB and {} are as they were packed", settings.data_set.string(),
                         tasks.size(), static_cast<double>(bytes) / 1e6, image_table_name));
    return;
  }
  std::string list;
  for (std::size_t i = 0; i < std::min(named, files.size()); ++i) list += (i == 0 ? "" : ", ") + files[i];
  if (files.size() > named) list += fmt::format(" and {} more", files.size() - named);
  throw Error(fmt::format("{} damaged file{}: {}", files.size(), files.size() == 1 ? "" : "s", list),
              settings.data_set.string(),
              "copy these files again from where they are whole, or pack the data set again");
}

}  // namespace

VerifySettings VerifySettings::from(const Options& options) {
  reject_packing_options(options, "verify", {"verify", "threads"});
  return {options.path("verify"), options.integer("threads")};
}

void verify_data_set(const VerifySettings& settings, World& world, const Log& log) {
  const std::int64_t cores = core_share(world);
  std::string text;
  if (world.rank() == 0) text = Manifest::load(settings.data_set).to_json();
  text = world.broadcast(std::move(text));
  const Manifest manifest = Manifest::from_json(text, (settings.data_set / Manifest::file_name).string());
  std::vector<Damage> mine =
      ShardChecker(settings.data_set, manifest, world, log).run(settings.threads > 0 ? settings.threads : cores);
  if (world.rank() == 0) {
    for (Damage& one : TableChecker(settings.data_set, manifest).run()) mine.push_back(std::move(one));
  }
  const std::vector<Damage> all = gather(world, mine);
  if (world.rank() == 0) report(all, settings, manifest, log);
}

}  // namespace lockstep::preprocess
