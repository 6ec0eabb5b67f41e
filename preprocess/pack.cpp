#include "preprocess/pack.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <opencv2/core/utility.hpp>

#include "lockstep/comm/core_share.hpp"
#include "lockstep/core/files.hpp"
#include "preprocess/audit_command.hpp"
#include "preprocess/audit_report.hpp"
#include "preprocess/class_names.hpp"
#include "preprocess/drop_duplicates.hpp"
#include "preprocess/output_claim.hpp"
#include "preprocess/output_folder.hpp"
#include "preprocess/packing_result.hpp"
#include "preprocess/progress.hpp"
#include "preprocess/set_changes.hpp"
#include "preprocess/shard_line.hpp"
#include "preprocess/store_choice.hpp"

namespace lockstep::preprocess {
namespace {

/// Runs `action`; what it throws becomes a value that can be told to rank 0.
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

/// One packing on one rank.
class Packer {
 public:
  Packer(const PackSettings& settings, World& world, const Log& log)
      : settings_(settings),
        world_(world),
        log_(log),
        output_(settings.output, {settings.input, settings.images_folder}),
        journal_(settings.output) {}

  void run() {
    std::string plan;  // for the other ranks; empty: there is nothing to do
    if (world_.rank() == 0 && prepare()) plan = world_.size() > 1 ? plan_.to_bytes() : "alone";
    plan = world_.broadcast(std::move(plan));
    if (plan.empty()) return;
    if (world_.rank() > 0) {
      source_ = make_source(settings_);
      plan_ = Plan::from_bytes(plan);
    }
    work();
    world_.barrier();
  }

 private:
  /// On rank 0, before any other rank touches the file system; what it throws ends the run. False: nothing to do.
  bool prepare() {
    OutputClaim::check(settings_.output, log_);  // before much is read
    manifest_seen_ = manifest_text();
    source_ = make_source(settings_);
    Listing listing = named_listing();
    take_times(*source_, listing);
    for (const std::string& note : listing.notes) log_.info(note);
    if (output_.holds_data_set()) return prepare_beside(std::move(listing));
    if (settings_.add) {
      throw Error("no data set to add to", settings_.output.string(),
                  "pack it first, by the same command without --add");
    }
    plan_ = make_plan(std::move(listing), settings_);
    choose_store_of_plan();
    begin();
    return true;
  }

  /// The source's listing, its classes under the names a person wants to read.
  Listing named_listing() const {
    Listing listing = source_->list();
    if (settings_.drop_duplicates) mark_duplicates(listing, *source_, paths_of_set(), threads());
    if (settings_.class_names.empty()) return listing;
    ClassNames names = read_class_names(settings_.class_names);
    if (settings_.class_depth == ClassDepth::deepest)
      names = with_names_of_last_parts(std::move(names), listing.classes);
    listing.classes = renamed(listing.classes, names, settings_.class_names.string());
    return listing;
  }

  /// Of the images that are in the data set already, if there is one.
  std::set<std::string> paths_of_set() const {
    std::set<std::string> paths;
    if (!output_.holds_data_set()) return paths;
    const Manifest manifest = Manifest::load(settings_.output);
    for (const ImageRow& row : rows_of_set(settings_.output, manifest)) {
      if (row.status == ImageStatus::ok) paths.insert(row.path);
    }
    return paths;
  }

  void choose_store_of_plan() {
    if (settings_.store == StoreWish::jpeg) plan_.format.store = Store::jpeg;
    if (settings_.store != StoreWish::automatic) return;
    if (const auto begun = journal_.settings(); begun && begun->contains("store")) {  // chosen when it was begun
      plan_.format.store = begun->at("store") == name_of(Store::jpeg) ? Store::jpeg : Store::raw;
      return;
    }
    const StoreChoice choice =
        choose_store(measure_store_costs(*source_, plan_, settings_), store_means(settings_.output, cores_));
    plan_.format.store = choice.store;
    log_.info(choice.reason);
  }

  /// A data set is there: is it this one, and what shall be added?
  bool prepare_beside(Listing listing) {
    before_ = Manifest::load(settings_.output);
    if (!before_.sums) {
      throw Error("a data set is here already, packed by an earlier version", settings_.output.string(),
                  "choose another --output, or remove this one first");
    }
    std::int64_t images = 0;
    for (const auto& [status, count] : before_.status_counts) images += count;
    rows_before_ = read_image_table(settings_.output / image_table_name, images);
    listing = with_labels_of(std::move(listing), before_.classes);
    check_settings_of_set(listing);
    const InputChanges changes = input_changes(before_, rows_before_, listing, *source_, settings_.most_pixels);
    if (!changes.none()) check_input_of_set(changes);
    check_weights_of_set(listing);
    if (changes.none()) {
      if (std::filesystem::exists(settings_.output / journal_folder)) {  // a packing was killed at its very end
        claim();
        journal_.remove();
      }
      log_.info(fmt::format("nothing to do: all {} images are packed already · {}", images, settings_.output.string()));
      return false;
    }
    plan_ = make_added_plan(std::move(listing), settings_, before_, rows_before_);
    announce_classes();
    begin();
    return true;
  }

  void check_settings_of_set(const Listing& listing) const {
    SettingTexts now = summary_with(listing);
    ShardFormat format = before_.shard_format();
    if (settings_.side > 0) format.shape = {settings_.side, settings_.side, settings_.channels};
    if (settings_.side == 0) format.shape = {listing.height, listing.width, settings_.channels};
    if (settings_.store != StoreWish::automatic)
      format.store = settings_.store == StoreWish::jpeg ? Store::jpeg : Store::raw;
    const std::vector<std::string> differing = differing_settings(
        settings_that_count(before_.settings, before_.shard_format()), settings_that_count(std::move(now), format));
    if (differing.empty()) return;
    throw Error(fmt::format("a data set is here already, packed with other settings: {}", fmt::join(differing, ", ")),
                settings_.output.string(),
                settings_.add ? "--add needs the settings of the first packing"
                              : "choose another --output, or remove this one first");
  }

  void check_input_of_set(const InputChanges& changes) const {
    if (settings_.add && changes.gone.empty() && changes.changed.empty()) return;
    if (settings_.add) {
      throw Error("--add takes new images only, others have changed since: " + changes.text(), settings_.input.string(),
                  "put them back as they were, or pack a new data set");
    }
    throw Error("a data set is here already, and its input has changed since: " + changes.text(),
                settings_.output.string(),
                changes.gone.empty() && changes.changed.empty()
                    ? "--add packs the new images beside it; or choose another --output"
                    : "choose another --output, or remove this one first");
  }

  /// Weights lie in the shards that are there, so what is added cannot change them.
  void check_weights_of_set(const Listing& listing) const {
    const auto weights = before_.settings.find("weights");
    if (weights == before_.settings.end() || weights->second == weights_digest(listing, &rows_before_)) return;
    throw Error("a data set is here already, with other weights of its samples", settings_.output.string(),
                settings_.add ? "give the images that are in it the weights they had, or pack a new data set"
                              : "choose another --output, or remove this one first");
  }

  void announce_classes() const {
    const auto old = before_.classes.size();
    const std::vector<std::string> fresh(plan_.listing.classes.begin() + static_cast<std::ptrdiff_t>(old),
                                         plan_.listing.classes.end());
    if (!fresh.empty())
      log_.info(fmt::format("{} new classes, behind the {} there are: {}", fresh.size(), old, fmt::join(fresh, ", ")));
  }

  SettingTexts summary_with(const Listing& listing) const {
    SettingTexts summary = settings_.summary();
    summary.insert(listing.decided.begin(), listing.decided.end());
    return summary;
  }

  /// Takes over what an earlier try has finished, and makes room for the rest.
  void begin() {
    claim();
    const SettingTexts now = settings_that_count(summary_with(plan_.listing), plan_.format);
    const std::int64_t recorded = journal_.records();
    if (const auto begun = journal_.settings(); begun && recorded > 0 && *begun != now) {
      throw Error(fmt::format("an unfinished packing with other settings is here: {}",
                              fmt::join(differing_settings(*begun, now), ", ")),
                  settings_.output.string(),
                  "say what was said then, and it goes on; or remove the folder to begin anew");
    }
    finished_ = journal_.finished(plan_, settings_);
    std::set<std::string> keep = files_of_set();
    for (const ShardPlan& shard : plan_.shards) {
      if (keep.contains(shard.file)) throw defect("a new shard has the name of one that is there", shard.file);
    }
    for (const ShardRecord& record : finished_) keep.insert(record.entry.file);
    find_open_shards();
    output_.prepare(plan_.disk_bytes(open_), keep);
    journal_.begin(now);
    announce(recorded - std::ssize(finished_));
  }

  void claim() {
    claim_.emplace(settings_.output, log_);
    if (manifest_text() == manifest_seen_) return;
    throw Error("another packing has ended here meanwhile", settings_.output.string(),
                "give the command again: it will see what is there now");
  }

  /// Empty: there is no data set.
  std::string manifest_text() const {
    const std::filesystem::path file = settings_.output / Manifest::file_name;
    return std::filesystem::exists(file) ? read_file(file) : "";
  }

  void find_open_shards() {
    std::vector<bool> done(plan_.shards.size());
    for (const ShardRecord& record : finished_) done[static_cast<std::size_t>(record.shard)] = true;
    for (std::size_t i = 0; i < done.size(); ++i) {
      if (!done[i]) open_.push_back(static_cast<std::int64_t>(i));
    }
  }

  std::set<std::string> files_of_set() const {
    std::set<std::string> files;
    for (const SplitEntry& split : before_.splits) {
      for (const ShardEntry& shard : split.shards) files.insert(shard.file);
    }
    if (!files.empty()) files.insert({image_table_name, std::string(Manifest::file_name), audit_file_name});
    return files;
  }

  void announce(std::int64_t outdated) const {
    const ImageShape& shape = plan_.format.shape;
    log_.info(fmt::format("{} images of {} classes · {} × {} × {} {} · {} shards · {} ranks × {} threads",
                          plan_.images(), plan_.listing.classes.size(), shape.height, shape.width, shape.channels,
                          name_of(plan_.format.store), plan_.shards.size(), world_.size(), threads()));
    if (finished_.empty() && outdated == 0) return;
    const std::string again =
        outdated > 0 ? fmt::format(", {} more are packed again: their images have changed since", outdated) : "";
    log_.info(fmt::format("going on with an unfinished packing: {} of {} shards are there{}", finished_.size(),
                          plan_.shards.size(), again));
  }

  std::int64_t threads() const { return settings_.threads > 0 ? settings_.threads : cores_; }

  void work() {
    if (world_.rank() > 0) {
      pack_with(*make_foreman(world_, {}, {}));
      return;
    }
    PackingResult result(plan_, before_, std::move(rows_before_));
    std::int64_t images_before = 0;
    for (const ShardRecord& record : finished_) {
      result.add(record);
      images_before += std::ssize(record.outcomes);
    }
    finished_ = {};
    Progress progress(log_, plan_.images(), images_before);
    const auto failure = pack_with(*make_foreman(
        world_, open_,
        {[&](const ShardRecord& record) { result.add(record); }, [&](std::int64_t images) { progress.add(images); }}));
    log_.finish_progress();
    if (failure) fail(*failure);
    finish(result, progress);
  }

  /// This rank's part. On rank 0 returns after all have done theirs, with the first failure of any.
  std::optional<Error> pack_with(Foreman& foreman) const {
    const auto mine = caught([&] { pack_shards({*source_, plan_, settings_, threads()}, journal_, foreman); });
    if (mine) foreman.failed(*mine);
    return foreman.leave();
  }

  /// What is finished stays for the next try; if there is nothing, nothing stays.
  [[noreturn]] void fail(const Error& failure) const {
    const std::int64_t done = journal_.records();
    if (done == 0) {
      journal_.remove();
      output_.discard(files_of_set());
    } else {
      log_.info(fmt::format("{} of {} shards are done and stay: the same command goes on from there", done,
                            plan_.shards.size()));
    }
    throw failure;
  }

  /// The table, then the manifest: with it the data set is whole.
  void finish(PackingResult& result, const Progress& progress) {
    result.complete();
    Manifest manifest = result.manifest(settings_of_manifest());
    plan_.listing.candidates = {};  // the table has them
    report_refusals(result.rows());
    if (const auto unusable = caught([&] {
          check_training(manifest);
          check_findings(manifest, result.rows());
        })) {
      journal_.remove();
      output_.discard(files_of_set());
      throw *unusable;
    }
    if (const auto failure = caught([&] {
          write_image_table(settings_.output / image_table_name, result.rows());
          std::filesystem::remove(settings_.output / audit_file_name);  // of the set as it was
          manifest.save(settings_.output);
        })) {
      fail(*failure);
    }
    journal_.remove();
    report_success(manifest, progress);
  }

  SettingTexts settings_of_manifest() const {
    SettingTexts settings = before_.settings.empty() ? summary_with(plan_.listing) : before_.settings;
    if (plan_.format.weighted) settings["weights"] = weights_digest(plan_.listing);
    return settings;
  }

  /// What --fail-on refuses is named here: nothing will be left to audit.
  void check_findings(Manifest& manifest, const std::vector<ImageRow>& rows) const {
    const Audit found = audit(rows, manifest, threads());
    manifest.findings = found.counts();
    const std::string line = one_line(found), folder = settings_.output.string();
    for (const Finding finding : settings_.fail_on) {
      if (found.count(finding) > 0) log_.warning(examples(finding, found, {folder, rows, manifest}));
    }
    refuse_findings(manifest.findings, settings_.fail_on, folder,
                    before_.splits.empty()
                        ? "nothing is kept of it: remove what is listed above, or pack without --fail-on"
                        : "nothing is added: remove what is listed above, or add without --fail-on");
    if (!line.empty()) log_.info(fmt::format("{} · listed by lockstep preprocess --audit {}", line, folder));
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
      if (row.status == ImageStatus::refused && ++refused <= listed)
        log_.warning(fmt::format("refused {}: {}", row.path, row.reason));
    }
    if (refused > listed)
      log_.warning(fmt::format("… and {} more refused, all in {}", refused - listed, image_table_name));
  }

  void report_success(const Manifest& manifest, const Progress& progress) const {
    std::string text;
    for (const SplitEntry& split : manifest.splits) text += fmt::format("{} {} · ", split.samples, split.name);
    const auto refused = manifest.status_counts.find("refused");
    if (refused != manifest.status_counts.end()) text += fmt::format("{} refused · ", refused->second);
    const std::string added =
        rows_added() > 0 && !before_.splits.empty() ? fmt::format("{} of them added · ", rows_added()) : "";
    log_.info(fmt::format("packed {}{}{:.1f} s, {:.0f} images/s · {}", text, added, progress.seconds(),
                          static_cast<double>(progress.done()) / progress.seconds(), settings_.output.string()));
  }

  std::int64_t rows_added() const { return plan_.images(); }

  const PackSettings& settings_;
  World& world_;
  const std::int64_t cores_ = core_share(world_);  // by all ranks together, so here
  const Log& log_;
  OutputFolder output_;
  Journal journal_;
  std::unique_ptr<Source> source_;
  Plan plan_;
  // Of rank 0:
  std::optional<OutputClaim> claim_;   // from begin() to the end
  std::string manifest_seen_;          // what the plan was made beside
  Manifest before_;                    // of the data set that is there
  std::vector<ImageRow> rows_before_;  // the same; work() takes them
  std::vector<ShardRecord> finished_;  // by an earlier try
  std::vector<std::int64_t> open_;     // shards that are still to be packed
};

}  // namespace

void pack(const PackSettings& settings, World& world, const Log& log) {
  cv::setNumThreads(1);  // our threads each work on their own picture
  Packer(settings, world, log).run();
}

}  // namespace lockstep::preprocess
