#include "preprocess/pack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <opencv2/core/utility.hpp>

#include "lockstep/comm/core_share.hpp"
#include "lockstep/data/image_table.hpp"
#include "preprocess/class_names.hpp"
#include "preprocess/output_folder.hpp"
#include "preprocess/progress.hpp"
#include "preprocess/round_report.hpp"
#include "preprocess/store_choice.hpp"

namespace lockstep::preprocess {
namespace {

using Entries = std::map<std::int64_t, ShardEntry>;  // shard's index in the plan → its entry

/// Runs `action`; what it throws becomes a value that can be sent to the other ranks.
template <typename Action>
std::optional<Error> caught(const Action& action) {
  try {
    action();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error("out of memory", "", "use a smaller --shard-mib or fewer --threads, or more memory");
  } catch (const std::exception& error) {
    return defect(error.what(), "packing");
  }
}

/// Writes one shard in the background while the next one is decoded.
class BackgroundWriter {
 public:
  BackgroundWriter(const std::filesystem::path& folder, const Plan& plan) : folder_(folder), plan_(plan) {}

  /// Waits for the shard before, then starts. Errors: those of the shard before.
  void start(std::int64_t shard, DecodedShard decoded) {
    wait();
    if (decoded.good() == 0) return;
    index_ = shard;
    pending_ = std::async(std::launch::async, [this, shard, content = std::move(decoded)] {
      return write_shard(folder_, plan_, plan_.shards[static_cast<std::size_t>(shard)], content);
    });
  }
  void wait() {
    if (pending_.valid()) entries_[index_] = pending_.get();
  }
  const Entries& entries() const { return entries_; }

 private:
  const std::filesystem::path& folder_;
  const Plan& plan_;
  Entries entries_;
  std::int64_t index_ = -1;
  std::future<ShardEntry> pending_;
};

/// Everything rank 0 learns about the images while packing goes on, and the files it makes of it.
class Result {
 public:
  explicit Result(const Plan& plan) : plan_(plan) {
    for (std::size_t id = 0; id < plan.splits.size(); ++id) {
      const Candidate& candidate = plan.listing.candidates[id];
      const bool good = candidate.refusal.empty();
      rows_.push_back(
          {candidate.path, plan.splits[id], candidate.label, 0, 0, good ? "ok" : "refused", candidate.refusal});
    }
  }

  void add(const RoundReport& report) {
    if (report.shard < 0) return;
    const ShardPlan& shard = plan_.shards[static_cast<std::size_t>(report.shard)];
    for (std::size_t at = 0; at < shard.ids.size(); ++at) {
      ImageRow& row = rows_[static_cast<std::size_t>(shard.ids[at])];
      const Outcome& outcome = report.outcomes.at(at);
      row.width = outcome.width;
      row.height = outcome.height;
      row.fingerprint = outcome.fingerprint;
      if (outcome.refusal.empty()) continue;
      row.status = "refused";
      row.reason = outcome.refusal;
      row.split.clear();
    }
    if (shard.split == "train" || plan_.listing.classes.empty()) pixels_ += report.sums;
    images_ += static_cast<std::int64_t>(shard.ids.size());
  }

  std::int64_t images() const { return images_; }  ///< decoded so far
  const std::vector<ImageRow>& rows() const { return rows_; }

  Manifest manifest(const Entries& entries, std::map<std::string, std::string> settings) const {
    Manifest manifest;
    manifest.classes = plan_.listing.classes;
    manifest.shape = plan_.format.shape;
    manifest.store = plan_.format.store;
    manifest.weighted = plan_.format.weighted;
    for (std::size_t c = 0; c < static_cast<std::size_t>(plan_.format.shape.channels); ++c) {
      manifest.mean.push_back(pixels_.mean(c));
      manifest.std.push_back(pixels_.std(c));
    }
    for (const auto& [index, entry] : entries)
      add_shard(manifest, plan_.shards[static_cast<std::size_t>(index)].split, entry);
    count_rows(manifest);
    manifest.settings = std::move(settings);
    return manifest;
  }

 private:
  static void add_shard(Manifest& manifest, const std::string& split, const ShardEntry& entry) {
    if (manifest.find_split(split) == nullptr) {
      manifest.splits.push_back({split, 0, std::vector<std::int64_t>(manifest.classes.size(), 0), {}});
    }
    manifest.splits.back().samples += entry.samples;
    manifest.splits.back().shards.push_back(entry);
  }

  void count_rows(Manifest& manifest) const {
    std::map<std::string, SplitEntry*> splits;
    for (SplitEntry& split : manifest.splits) splits[split.name] = &split;
    for (const ImageRow& row : rows_) {
      ++manifest.status_counts[row.status];
      if (row.status == "ok" && row.label >= 0)
        ++splits.at(row.split)->class_counts[static_cast<std::size_t>(row.label)];
    }
  }

  const Plan& plan_;
  std::vector<ImageRow> rows_;  // [id]
  ChannelSums pixels_;          // of the training images; where there are no classes, of all
  std::int64_t images_ = 0;
};

/// One packing on one rank.
class Packer {
 public:
  Packer(const PackSettings& settings, World& world, const Log& log)
      : settings_(settings),
        world_(world),
        log_(log),
        output_(settings.output, {settings.input, settings.images_folder}) {}

  void run() {
    prepare();
    Progress progress(log_, plan_.images(), world_.size());
    Result result(plan_);
    BackgroundWriter writer(settings_.output, plan_);
    const auto ranks = static_cast<std::size_t>(world_.size());
    for (std::size_t first = 0; first < plan_.shards.size(); first += ranks) {
      if (!round(first + static_cast<std::size_t>(world_.rank()), writer, progress, result)) return;
      progress.round_done(result.images());
    }
    RoundReport last;
    last.failure = caught([&] { writer.wait(); });
    if (!agree(last, writer, result)) return;
    const Entries entries = gather(writer.entries());
    if (world_.rank() == 0) finish(result, entries, progress.seconds());
    world_.barrier();
  }

 private:
  /// Rank 0 lists and checks before any other rank touches the file system; what it throws ends the run.
  void prepare() {
    std::string bytes;
    if (world_.rank() == 0) {
      source_ = make_source(settings_);
      plan_ = make_plan(named_listing(), settings_);
      choose_format();
      output_.prepare(plan_.disk_bytes());
      announce();
      if (world_.size() > 1) bytes = plan_.listing.to_bytes();
    }
    bytes = world_.broadcast(std::move(bytes));
    const std::string store = world_.broadcast(std::string(name_of(plan_.format.store)));
    if (world_.rank() == 0) return;
    source_ = make_source(settings_);
    plan_ = make_plan(Listing::from_bytes(bytes), settings_);
    plan_.format.store = store == name_of(Store::jpeg) ? Store::jpeg : Store::raw;
  }

  void choose_format() {
    if (settings_.store == StoreWish::jpeg) plan_.format.store = Store::jpeg;
    if (settings_.store != StoreWish::automatic) return;
    const StoreChoice choice =
        choose_store(measure_store_costs(*source_, plan_, settings_), store_means(settings_.output, cores_));
    plan_.format.store = choice.store;
    log_.info(choice.reason);
  }

  /// The source's listing, its classes under the names a person wants to read.
  Listing named_listing() const {
    Listing listing = source_->list();
    if (settings_.class_names.empty()) return listing;
    ClassNames names = read_class_names(settings_.class_names);
    if (settings_.class_depth == ClassDepth::deepest)
      names = with_names_of_last_parts(std::move(names), listing.classes);
    listing.classes = renamed(listing.classes, names, settings_.class_names.string());
    return listing;
  }

  void announce() const {
    for (const std::string& note : plan_.listing.notes) log_.info(note);
    log_.info(fmt::format("{} images of {} classes · {} × {} × {} {} · {} shards · {} ranks × {} threads",
                          plan_.images(), plan_.listing.classes.size(), plan_.format.shape.height,
                          plan_.format.shape.width, plan_.format.shape.channels, name_of(plan_.format.store),
                          plan_.shards.size(), world_.size(), threads()));
  }

  std::int64_t threads() const { return settings_.threads > 0 ? settings_.threads : cores_; }

  /// Decodes this rank's shard of the round, if there is one. False: the run has failed and this rank's part is over.
  bool round(std::size_t shard, BackgroundWriter& writer, Progress& progress, Result& result) {
    RoundReport report;
    report.failure = caught([&] {
      if (shard >= plan_.shards.size()) return;
      const DecodeOptions options{threads(), settings_.fit, settings_.quality, settings_.most_pixels, settings_.strict};
      DecodedShard decoded =
          decode_shard(*source_, plan_, plan_.shards[shard], options, [&] { progress.image_done(); });
      report.shard = static_cast<std::int64_t>(shard);
      report.outcomes = decoded.outcomes;
      report.sums = decoded.sums;
      writer.start(report.shard, std::move(decoded));
    });
    return agree(report, writer, result);
  }

  /// Exchanges the ranks' reports. After a failure rank 0 throws it, once every rank has stopped writing.
  bool agree(const RoundReport& mine, BackgroundWriter& writer, Result& result) {
    std::optional<Error> failure;
    for (const std::string& bytes : world_.gather_all(mine.to_bytes())) {
      const RoundReport report = RoundReport::from_bytes(bytes);
      if (!failure) failure = report.failure;
      if (world_.rank() == 0 && !report.failure) result.add(report);
    }
    if (!failure) return true;
    caught([&] { writer.wait(); });
    world_.barrier();
    if (world_.rank() != 0) return false;
    output_.discard();
    throw *failure;
  }

  Entries gather(const Entries& mine) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [index, entry] : mine)
      list.push_back({index, entry.file, entry.samples, entry.bytes, entry.checksum});
    Entries all;
    for (const std::string& text : world_.gather_all(list.dump())) {
      for (const auto& item : nlohmann::json::parse(text)) {
        all[item[0].get<std::int64_t>()] = {item[1].get<std::string>(), item[2].get<std::int64_t>(),
                                            item[3].get<std::int64_t>(), item[4].get<std::string>()};
      }
    }
    return all;
  }

  /// The table, then the manifest: with it the data set is whole.
  void finish(const Result& result, const Entries& entries, double seconds) const {
    log_.finish_progress();
    std::map<std::string, std::string> summary = settings_.summary();
    summary.insert(plan_.listing.decided.begin(), plan_.listing.decided.end());
    const Manifest manifest = result.manifest(entries, std::move(summary));
    report_refusals(result.rows());
    const std::optional<Error> failure = caught([&] {
      check_training(manifest);
      write_image_table(settings_.output / image_table_name, result.rows());
      manifest.save(settings_.output);
    });
    if (failure) {
      output_.discard();
      throw *failure;
    }
    report_success(manifest, result.images(), seconds);
  }

  void check_training(const Manifest& manifest) const {
    if (manifest.classes.empty() && manifest.splits.empty())
      throw Error("none of the images can be used", settings_.input.string(), "the reasons are listed above");
    if (manifest.classes.empty()) return;
    if (manifest.find_split("train") == nullptr) {
      throw Error("none of the training images can be used", settings_.input.string(), "the reasons are listed above");
    }
    const std::vector<std::int64_t>& counts = manifest.split("train").class_counts;
    for (std::size_t label = 0; label < counts.size(); ++label) {
      if (counts[label] == 0) log_.warning(fmt::format("class '{}' has no training image", manifest.classes[label]));
    }
  }

  void report_refusals(const std::vector<ImageRow>& rows) const {
    constexpr std::int64_t listed = 10;
    std::int64_t refused = 0;
    for (const ImageRow& row : rows) {
      if (row.status == "refused" && ++refused <= listed)
        log_.warning(fmt::format("refused {}: {}", row.path, row.reason));
    }
    if (refused > listed)
      log_.warning(fmt::format("… and {} more refused, all in {}", refused - listed, image_table_name));
  }

  void report_success(const Manifest& manifest, std::int64_t images, double seconds) const {
    std::string text;
    for (const SplitEntry& split : manifest.splits) text += fmt::format("{} {} · ", split.samples, split.name);
    const auto refused = manifest.status_counts.find("refused");
    if (refused != manifest.status_counts.end()) text += fmt::format("{} refused · ", refused->second);
    log_.info(fmt::format("packed {}{:.1f} s, {:.0f} images/s · {}", text, seconds,
                          static_cast<double>(images) / seconds, settings_.output.string()));
  }

  const PackSettings& settings_;
  World& world_;
  const std::int64_t cores_ = core_share(world_);  // by all ranks together, so here
  const Log& log_;
  OutputFolder output_;
  std::unique_ptr<Source> source_;
  Plan plan_;
};

}  // namespace

void pack(const PackSettings& settings, World& world, const Log& log) {
  cv::setNumThreads(1);  // our threads each work on their own picture
  Packer(settings, world, log).run();
}

}  // namespace lockstep::preprocess
