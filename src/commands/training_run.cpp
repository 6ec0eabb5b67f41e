#include "commands/training_run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/dry_run.hpp"
#include "commands/fine_tuning.hpp"
#include "commands/lr_search_files.hpp"
#include "commands/ranks.hpp"
#include "commands/refinement.hpp"
#include "commands/resume.hpp"
#include "commands/shard_access.hpp"
#include "lockstep/comm/agreement.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/evaluate/metric_choice.hpp"
#include "lockstep/train/stop_signal.hpp"
#include "lockstep/train/trainer.hpp"
#include "lockstep/weights/find_weights.hpp"

namespace lockstep {
namespace {

std::string opening_line(const RunConfig& config, const Manifest& manifest, const InputPlan& input,
                         const NetworkRecord& network, const World& world) {
  std::int64_t samples = 0;
  for (const std::string& name : joined_splits(config.loader.train_split)) samples += manifest.split(name).samples;
  return fmt::format(
      "{} samples of {} classes, {} px; {} rank{} of {} thread{}, global batch {}, {:.1f} MiB of gradients a step{}",
      samples, manifest.classes.size(), input.side, world.size(), world.size() == 1 ? "" : "s", config.threads,
      config.threads == 1 ? "" : "s", config.batch, static_cast<double>(network.gradient_bytes) / (1 << 20),
      config.run.empty() ? "" : "; run " + config.run.string());
}

std::string closing_line(const RunConfig& config, const TrainingResult& result) {
  const std::string run = config.run.string();
  if (result.stopped) return fmt::format("go on with: lockstep train --resume {}", run);
  if (result.best_epoch == 0) return "nothing was judged";
  return fmt::format("best {} {:.4f} in epoch {}; next: lockstep evaluate --run {}", result.metric, result.best_value,
                     result.best_epoch, run);
}

/// Errors: a split that was asked for and is not there.
void note_what_judges(const RunConfig& config, const Options& options, const Manifest& manifest, const Log& log) {
  if (config.loader.eval_split != "none") {
    const std::vector<std::string> names = joined_splits(config.loader.eval_split);
    const bool there =
        std::ranges::all_of(names, [&](const auto& name) { return manifest.find_split(name) != nullptr; });
    if (there) {
      if (const std::string note = check_metric(config.metric, manifest, names); !note.empty()) log.info(note);
      return;
    }
    if (options.changed("eval-split")) {
      for (const std::string& name : names) manifest.split(name);
    }
  }
  log.info("no split judges the epochs: the lowest training loss decides which weights are best");
}

/// The folder of the run, on rank 0. A new one is made only now that the trainer has found the config to fit the data:
/// a refused command leaves nothing behind.
std::optional<RunFolder> run_folder(const RunConfig& config, const Options& options, RunRecord record,
                                    const World& world) {
  if (world.rank() != 0) return std::nullopt;
  if (options.has("from")) record.parent = parent_of(options);
  if (!options.has("resume")) return RunFolder::create(config.run, options.with_absolute_paths(), record);
  const RunFolder folder = RunFolder::open(config.run);
  record.parent = folder.record().parent;
  folder.write_options(options.with_absolute_paths());
  folder.write_record(record);
  return folder;
}

Error taken_over(const std::filesystem::path& run) {
  return Error("another training has taken over this run's folder", run.string(),
               "this process was stopped for minutes, or its owner.json was removed; the other one goes on");
}

/// The file that --weights names, found by rank 0, whose folders count.
Options with_found_weights(const Options& said, World& world) {
  if (!said.has("weights")) return said;
  const std::string file = world.rank() == 0 ? find_weights(said.text("weights"), weight_folders()).string() : "";
  return said.with("weights", world.broadcast(file));
}

}  // namespace

Options complete_options(const Options& said, World& world, const Log& log) {
  if (said.has("from")) return refined_options(said, world, log);
  if (said.has("resume")) return resumed_options(said, world);
  return with_fine_tuning(with_found_weights(said, world), world, log);
}

Exit train_run(const Options& options, World& world, const Log& log) {
  const StopSignal stop;  // heard while the data are opened, too: the run then ends after its first step
  RunConfig config = RunConfig::from(options);
  require_learnt_weights(config.model, options.has("resume"));
  const bool resumes = options.has("resume"), rehearses = options.flag("dry-run"), searches = options.flag("find-lr");
  if (rehearses && searches)
    options.reject("find-lr", "a rehearsal writes nothing and finds nothing", "leave out --find-lr or --dry-run");
  if (resumes && searches)
    options.reject("find-lr", "a run that goes on keeps its learning rate", "search without --resume, for another run");
  const Manifest manifest = shared_manifest(world, config.loader.data);
  config.threads = set_threads(config.threads, world);
  const InputPlan input = plan_input(config.loader, manifest);
  const bool writes = world.rank() == 0 && !rehearses && !config.run.empty();
  if (writes && !resumes) RunFolder::require_new(config.run);
  std::unique_ptr<FolderClaim> claim;  // what another training writes must not be read, either
  if (writes && resumes) claim = RunFolder::claim(config.run, false, log);
  note_what_judges(config, options, manifest, log);
  ResumePoint point;
  if (resumes) {
    const bool keeps_checkpoints = config.checkpoint.every.unit != Interval::Unit::never;
    point = find_resume_point(RunFolder::at(config.run), keeps_checkpoints, world, log);
    if (point.any) config.model.weights.clear();  // the checkpoint holds what became of them
  }
  const std::unique_ptr<Accelerator> accelerator = take_device(config.device, world, log);
  RankCommunicators channels = make_rank_communicators(world, Seconds(config.timeout), accelerator.get());
  require_agreement(*channels.control, "the configuration", options.to_ini());
  if (rehearses) config.loader.stage.clear();  // a rehearsal writes nothing
  if (rehearses && config.features.place != FeatureCacheConfig::Place::off) {
    config.features = {};
    log.info("the rehearsal keeps no features: it runs the frozen part in every step, which the run would not");
  }
  ShardAccess shards(config.loader, manifest, world, log);
  config.loader.shards = shards.folder();
  Trainer::Hooks hooks;
  hooks.stop_requested = [&stop] { return stop.requested(); };
  hooks.on_step = [&](std::int64_t, const StepResult&) {
    shards.rethrow();
    if (claim && claim->lost()) throw taken_over(config.run);
  };
  hooks.before_end = [&shards] { shards.rethrow(); };
  Trainer trainer(config, manifest, channels, log, hooks);
  shards.opened();
  if (point.any) log.info(fmt::format("going on after {} steps", trainer.restore(point.newest)));
  point.newest.reset();  // its tensors take as much memory as model and optimiser
  log.info(opening_line(config, manifest, input, trainer.network(), world));
  if (rehearses) {
    const Rehearsal rehearsal = trainer.rehearse();
    return say(world, rehearsal_text(rehearsal, world.size(), accelerator ? accelerator->peak_bytes() : 0));
  }
  if (searches) {
    const LrSearch search = trainer.find_lr();
    if (world.rank() == 0 && !config.run.empty()) write_lr_search(search, config.run);
    shards.rethrow();
    const OptimiserConfig& optimiser = config.optimiser;
    const std::optional<double> head_ratio =
        optimiser.head_lr > 0 ? std::optional(optimiser.head_lr / optimiser.lr) : std::nullopt;
    return say(world, search.description(optimiser.lr / options.real("lr"), head_ratio));
  }
  RunRecord record = record_of(config, manifest, input, world.size());
  record.network = trainer.network();
  if (writes && !resumes) claim = RunFolder::claim(config.run, true, log);
  world.barrier();  // the claim may have waited; steps have deadlines
  const TrainingResult result = trainer.run(run_folder(config, options, record, world));
  if (const std::string note = shards.unchecked(); !note.empty()) log.info(note);
  log.info(closing_line(config, result));
  return result.stopped ? Exit::resumable : Exit::done;
}

}  // namespace lockstep
