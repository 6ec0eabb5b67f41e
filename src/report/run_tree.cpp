#include "lockstep/report/run_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/record/run_log.hpp"
#include "report/paired_gain.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

bool larger_is_better(const std::string& metric) { return !metric.ends_with("loss"); }

/// "macro-f1" as lines of the log call it.
std::string field_of(std::string metric) {
  std::ranges::replace(metric, '-', '_');
  return "eval_" + metric;
}

double seconds_since(const fs::path& file) {
  const auto age = fs::file_time_type::clock::now() - fs::last_write_time(file);
  return std::max(0.0, std::chrono::duration<double>(age).count());
}

/// Whether it was meant as a run: what makes one is there, or what is left of it.
/// `fault`: why nobody can tell; then it counts as one.
bool is_meant_as_run(const fs::path& folder, std::error_code& fault) {
  const RunFolder run = RunFolder::at(folder);
  fault.clear();
  const bool recorded = fs::exists(run.record_file(), fault);
  if (fault || recorded) return true;
  const bool configured = fs::exists(run.config(), fault);
  return fault || (configured && fs::exists(run.log(), fault)) || fault;
}

bool is_meant_as_run(const fs::path& folder) {
  std::error_code ignored;
  return is_meant_as_run(folder, ignored);
}

void take_state(RunOverview& run, const std::vector<LogLine>& lines) {
  for (const LogLine& line : lines) {
    const std::string event = line.event();
    if (event == "started" || event == "resumed" || event == "epoch") run.state = RunState::unfinished;
    if (event == "finished" || event == "stopped_early") run.state = RunState::finished;
    if (event == "stopped") run.state = RunState::stopped;
    if (event == "failed") run.state = RunState::failed;
    if (event == "finished" || event == "stopped" || event == "failed") run.reason = line.text("reason");
    if (event == "epoch") run.epochs = line.integer("epoch");
    if ((event == "started" || event == "resumed") && !line.text("metric").empty()) run.metric = line.text("metric");
  }
  // Older runs don't say that they have ended.
  const bool says_its_end = std::ranges::any_of(lines, [](const LogLine& line) { return line.event() == "started"; });
  if (run.state == RunState::unfinished && !says_its_end && run.epochs == run.planned_epochs)
    run.state = RunState::finished;
}

/// The newest word on the best weights: the judgement that found them, or what a start or the end says of them. A
/// resume may have kept better weights of a step that it then made once more.
void take_best(RunOverview& run, const std::vector<LogLine>& lines) {
  const bool judged = run.metric != "training loss";
  for (const LogLine& line : lines) {
    const bool tells = line.integer("best_epoch") > 0 && line.number("best_value");
    const auto value = tells               ? line.number("best_value")
                       : line.flag("best") ? line.number(judged ? field_of(run.metric) : "train_loss")
                                           : std::nullopt;
    if (judged && line.integer("eval_samples") > 0) run.judged_samples = line.integer("eval_samples");
    if (!value) continue;
    run.best = *value;
    run.best_epoch = line.integer(tells ? "best_epoch" : "epoch");
  }
}

void read_into(RunOverview& run) {
  const RunFolder folder = RunFolder::open(run.folder);
  const RunRecord record = folder.record();
  const Options options = folder.options();
  run.parent = record.parent;
  run.data_digest = record.data_digest;
  run.split = options.has("eval-split") ? options.text("eval-split") : "none";
  run.planned_epochs = options.integer("epochs");
  run.metric = options.text("metric");
  if (!fs::exists(folder.log())) return;
  run.idle_seconds = seconds_since(folder.log());
  const auto lines = read_run_log(
      folder.log(), {"started", "resumed", "epoch", "evaluation", "stopped_early", "finished", "stopped", "failed"});
  take_state(run, lines);
  take_best(run, lines);
}

RunOverview overview_of(const fs::path& folder, const fs::path& root) {
  RunOverview run;
  run.folder = fs::absolute(folder).lexically_normal();
  run.name = folder == root ? folder.filename().string() : folder.lexically_relative(root).string();
  try {
    std::error_code fault;
    is_meant_as_run(folder, fault);
    if (fault) throw fs::filesystem_error("", folder, fault);
    read_into(run);
  } catch (const Error& error) {
    run.state = RunState::damaged;
    run.reason = fmt::format("{} ({})", error.message(), error.where());
  } catch (const fs::filesystem_error& error) {
    run.state = RunState::damaged;
    run.reason = error.code().message();
  }
  return run;
}

std::vector<fs::path> run_folders(const fs::path& root) {
  std::vector<fs::path> found;
  if (is_meant_as_run(root)) found.push_back(root);
  std::error_code ignored;  // a folder that went away meanwhile, or that may not be read, has no runs below it
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto entry = fs::recursive_directory_iterator(root, options, ignored);
       entry != fs::recursive_directory_iterator(); entry.increment(ignored)) {
    // A link such as "latest" is a second name of a run.
    if (entry->is_symlink(ignored) || !entry->is_directory(ignored)) continue;
    const std::string name = entry->path().filename().string();
    if ((name == "checkpoints" || name == "weights") && is_meant_as_run(entry->path().parent_path()))
      entry.disable_recursion_pending();
    else if (is_meant_as_run(entry->path()))
      found.push_back(entry->path());
  }
  std::ranges::sort(found);
  return found;
}

/// Where the parent lies now: as it was named, or as it lay to the child's own folder when that was made.
std::optional<std::size_t> find_parent(const RunOverview& child, const std::map<fs::path, std::size_t>& places) {
  const fs::path named = child.parent->run;
  if (const auto found = places.find(named); found != places.end()) return found->second;
  fs::path own;
  try {
    own = RunFolder::at(child.folder).options().path("run");
  } catch (const Error&) {
    return std::nullopt;
  }
  const fs::path moved = (child.folder / named.lexically_relative(own)).lexically_normal();
  const auto found = places.find(moved);
  return found == places.end() ? std::nullopt : std::optional(found->second);
}

bool has_other_weights(const RunOverview& parent, const ParentRecord& record) {
  const RunFolder folder = RunFolder::at(parent.folder);
  const fs::path weights = record.weights == "best" ? folder.best_weights() : folder.last_weights();
  try {
    return file_digest(weights) != record.weights_digest;
  } catch (const Error&) {
    return true;
  }
}

std::optional<Gain> gain_of(const RunOverview& child, const RunOverview& parent) {
  const bool comparable = child.best && parent.best && child.metric == parent.metric &&
                          child.data_digest == parent.data_digest && child.split == parent.split;
  if (!comparable) return std::nullopt;
  Gain gain;
  gain.value = larger_is_better(child.metric) ? *child.best - *parent.best : *parent.best - *child.best;
  gain.samples = child.judged_samples;
  if (child.metric != "accuracy") return gain;
  if (add_paired_test(gain, child, parent)) return gain;
  if (child.judged_samples == 0 || parent.judged_samples == 0) return gain;
  const auto [low, high] = difference_interval(*parent.best, parent.judged_samples, *child.best, child.judged_samples);
  gain.low = low;
  gain.high = high;
  gain.significant = low > 0 || high < 0;
  return gain;
}

/// Parents before their children; a run that is its own ancestor, by a record written by hand, is nobody's child.
std::vector<RunOverview> in_families(std::vector<RunOverview> runs) {
  std::map<std::optional<std::size_t>, std::vector<std::size_t>> children;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::size_t steps = 0;
    for (auto up = runs[i].parent_index; up && steps <= runs.size(); up = runs[*up].parent_index) ++steps;
    if (steps > runs.size()) runs[i].parent_index.reset();
    children[runs[i].parent_index].push_back(i);
  }
  std::vector<RunOverview> ordered;
  const auto add = [&](const auto& self, std::size_t i, std::int64_t depth, std::optional<std::size_t> parent) -> void {
    ordered.push_back(runs[i]);
    ordered.back().depth = depth;
    ordered.back().parent_index = parent;
    const std::size_t place = ordered.size() - 1;
    for (const std::size_t child : children[i]) self(self, child, depth + 1, place);
  };
  for (const std::size_t root : children[std::nullopt]) add(add, root, 0, std::nullopt);
  return ordered;
}

}  // namespace

DifferenceInterval difference_interval(double before, std::int64_t before_samples, double now,
                                       std::int64_t now_samples) {
  // Wilson's interval of each share, put together.
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % quantile
  const auto wilson = [](double share, std::int64_t samples) {
    const auto n = static_cast<double>(samples);
    const double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    return std::pair{middle - half, middle + half};
  };
  const auto [before_low, before_high] = wilson(before, before_samples);
  const auto [now_low, now_high] = wilson(now, now_samples);
  const double difference = now - before;
  return {difference - std::hypot(now - now_low, before_high - before),
          difference + std::hypot(now_high - now, before - before_low)};
}

std::vector<RunOverview> read_runs(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw Error("there is no such folder", folder.string(), "name a folder with runs below it", Exit::usage);
  const fs::path root = fs::absolute(folder / "").lexically_normal().parent_path();
  std::vector<RunOverview> runs;
  std::map<fs::path, std::size_t> places;
  for (const fs::path& path : run_folders(root)) {
    runs.push_back(overview_of(path, root));
    places[runs.back().folder] = runs.size() - 1;
  }
  for (RunOverview& run : runs) {
    if (!run.parent) continue;
    run.parent_index = find_parent(run, places);
    if (!run.parent_index) continue;
    const RunOverview& parent = runs[*run.parent_index];
    run.parent_went_on = has_other_weights(parent, *run.parent);
    run.gain = gain_of(run, parent);
  }
  return in_families(std::move(runs));
}

}  // namespace lockstep
