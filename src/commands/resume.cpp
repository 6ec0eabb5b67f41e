#include "commands/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/weights/safetensors.hpp"

namespace lockstep {
namespace {

/// What a resumed run may be told anew: where things lie, how fast it goes, what it keeps, when it ends.
constexpr std::array free_options = std::to_array<std::string_view>({"run",
                                                                     "resume",
                                                                     "dry-run",
                                                                     "print-model",
                                                                     "data",
                                                                     "epochs",
                                                                     "max-steps",
                                                                     "threads",
                                                                     "prefetch",
                                                                     "log-every",
                                                                     "checkpoint-every",
                                                                     "keep-checkpoints",
                                                                     "bucket-mib",
                                                                     "timeout",
                                                                     "loader-threads",
                                                                     "device",
                                                                     "cache",
                                                                     "stage",
                                                                     "check-shards",
                                                                     "early-stopping",
                                                                     "find-lr",
                                                                     "tensorboard",
                                                                     "tensorboard-histograms",
                                                                     "tensorboard-images"});

bool decides_the_end(std::string_view name) { return name == "epochs" || name == "max-steps"; }

/// Schedules that are stretched over the whole run.
bool ends_with_the_run(const std::string& schedule) {
  return schedule == "cosine" || schedule == "polynomial" || schedule == "one-cycle";
}

/// A run that was killed before its first checkpoint may begin anew; one whose checkpoints are gone must not, since
/// that would write over what it has learnt.
void require_nothing_lost(const RunFolder& run, bool keeps_checkpoints) {
  const bool trained = std::filesystem::exists(run.last_weights());
  const bool kept =
      std::filesystem::exists(run.log()) && read_file(run.log()).find("\"event\":\"checkpoint\"") != std::string::npos;
  if (kept || (trained && !keeps_checkpoints)) {
    throw Error(
        kept ? "the checkpoints of this run are gone" : "the run has trained, but kept no checkpoint to go on from",
        run.checkpoints().string(), "begin a new --run, from its weights if you like (--weights)");
  }
}

/// What was learnt after the checkpoint is lost, but not the weights that it found best: they are what must be beaten.
void adopt_later_best(TrainState& state, const std::filesystem::path& best, const Log& log) {
  if (!std::filesystem::exists(best)) return;
  const auto label = read_safetensors(best).metadata;
  if (!label.contains("step") || std::stoll(label.at("step")) <= state.steps) return;
  const bool loss = label.at("metric").ends_with("loss");  // smaller is better
  const double value = std::stod(label.at("value"));
  state.best_score = loss ? -value : value;
  state.best_epoch = std::stoll(label.at("epoch"));
  log.info(fmt::format("the best weights so far are of step {}, past the checkpoint at {}; they are kept",
                       label.at("step"), state.steps));
}

/// An option without a default may have no value.
std::string said_text(const Options& options, const std::string& name) {
  return options.has(name) ? options.text(name) : std::string();
}

std::string read_config(const RunFolder& run) { return read_file(run.config(), 1 << 20); }

}  // namespace

Options resumed_options(const Options& said, World& world) {
  const std::filesystem::path folder = said.path("resume");
  std::error_code ignored;  // what is not there is not the same
  if (said.said("run") && !std::filesystem::equivalent(said.path("run"), folder, ignored))
    said.reject("run", "a resumed run goes on in its own folder", "leave --run out");
  const std::string text = world.broadcast(world.rank() == 0 ? read_config(RunFolder::open(folder)) : std::string());
  const Options run =
      Options::from_ini(Command::train, text, (folder / "config.ini").string()).with("run", folder.string());
  const Options merged = said.over(run).with("run", folder.string());
  for (const std::string& name : merged.differences(run)) {
    if (std::ranges::find(free_options, name) == free_options.end()) {
      said.reject(
          name,
          fmt::format("'{}' is not what the run began with ('{}')", said_text(merged, name), said_text(run, name)),
          "a resume goes on as it was: leave it out, or begin another --run");
    }
    if (decides_the_end(name) && ends_with_the_run(run.text("schedule"))) {
      said.reject(name, fmt::format("the {} schedule of this run ends where it was set to end", run.text("schedule")),
                  "leave it out, or begin another --run");
    }
  }
  return merged;
}

ResumePoint find_resume_point(const RunFolder& run, bool keeps_checkpoints, World& world, const Log& log) {
  ResumePoint point;
  if (world.rank() == 0) {
    FoundCheckpoint found = newest_checkpoint(run.checkpoints());
    for (const std::string& reason : found.passed_over) log.warning("a newer checkpoint is passed over: " + reason);
    if (!found.newest) require_nothing_lost(run, keeps_checkpoints);
    if (found.newest) adopt_later_best(found.newest->state, run.best_weights(), log);
    point.newest = std::move(found.newest);
  }
  point.any = world.broadcast(point.newest ? "yes" : "no") == "yes";
  if (!point.any) log.info("there is no checkpoint yet: the run begins anew");
  return point;
}

}  // namespace lockstep
