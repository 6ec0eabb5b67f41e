#include "commands/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep {
namespace {

/// What a resumed run may be told anew: where things lie, how fast it goes, what it keeps, when it ends.
constexpr std::array<std::string_view, 16> free_options{
    "run",        "resume",    "dry-run",          "print-model",
    "data",       "epochs",    "max-steps",        "threads",
    "prefetch",   "log-every", "checkpoint-every", "keep-checkpoints",
    "bucket-mib", "timeout",   "loader-threads",   "device"};

bool decides_the_end(std::string_view name) { return name == "epochs" || name == "max-steps"; }

std::string read_config(const RunFolder& run) { return read_file(run.config(), 1 << 20); }

}  // namespace

Options resumed_options(const Options& said, World& world) {
  const std::filesystem::path folder = said.path("resume");
  if (said.said("run") && said.path("run") != folder)
    said.reject("run", "a resumed run goes on in its own folder", "leave --run out");
  const std::string text = world.broadcast(world.rank() == 0 ? read_config(RunFolder::open(folder)) : std::string());
  const Options run =
      Options::from_ini(Command::train, text, (folder / "config.ini").string()).with("run", folder.string());
  const Options merged = said.over(run).with("run", folder.string());
  for (const std::string& name : merged.differences(run)) {
    if (std::ranges::find(free_options, name) == free_options.end()) {
      said.reject(name, fmt::format("'{}' is not what the run began with ('{}')", merged.text(name), run.text(name)),
                  "a resume goes on as it was: leave it out, or begin another --run");
    }
    if (decides_the_end(name) && run.text("schedule") == "cosine") {
      said.reject(name, "the cosine schedule of this run ends where it was set to end",
                  "leave it out, or begin another --run");
    }
  }
  return merged;
}

ResumePoint find_resume_point(const RunFolder& run, World& world, const Log& log) {
  ResumePoint point;
  if (world.rank() == 0) {
    FoundCheckpoint found = newest_checkpoint(run.checkpoints());
    for (const std::string& reason : found.passed_over) log.warning("a newer checkpoint is passed over: " + reason);
    if (!found.newest && std::filesystem::exists(run.last_weights())) {
      throw Error("the run has trained, but kept no checkpoint to go on from", run.checkpoints().string(),
                  "begin a new --run with --checkpoint-every, from these weights if you like");
    }
    point.newest = std::move(found.newest);
  }
  point.any = world.broadcast(point.newest ? "yes" : "no") == "yes";
  return point;
}

}  // namespace lockstep
