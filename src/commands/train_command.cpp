#include <fmt/format.h>

#include <cstdio>

#include "commands/ranks.hpp"
#include "lockstep/comm/agreement.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/train/stop_signal.hpp"
#include "lockstep/train/trainer.hpp"

namespace lockstep {
namespace {

std::string model_table(const RunConfig& config) {
  const Manifest manifest = Manifest::load(config.loader.data);
  const InputPlan input = plan_input(config.loader, manifest);
  const ModelInput shape{manifest.shape.channels, input.side, static_cast<std::int64_t>(manifest.classes.size())};
  return format_summary(summarise_model(config.model, shape));
}

std::string opening_line(const RunConfig& config, const Manifest& manifest, const InputPlan& input,
                         const NetworkRecord& network, const World& world) {
  const SplitEntry& train = manifest.split(config.loader.train_split);
  return fmt::format(
      "{} samples of {} classes, {} px; {} rank{} of {} thread{}, global batch {}, {:.1f} MiB of gradients a step; run "
      "{}",
      train.samples, manifest.classes.size(), input.side, world.size(), world.size() == 1 ? "" : "s", config.threads,
      config.threads == 1 ? "" : "s", config.batch, static_cast<double>(network.gradient_bytes) / (1 << 20),
      config.run.string());
}

std::string closing_line(const RunConfig& config, const TrainingResult& result) {
  if (result.best_epoch == 0) return "no epoch was completed";
  return fmt::format("best {} {:.4f} in epoch {}; next: lockstep evaluate --run {}", result.metric, result.best_value,
                     result.best_epoch, config.run.string());
}

Exit train(RunConfig config, const Options& options, World& world, const Log& log) {
  const Manifest manifest = shared_manifest(world, config.loader.data);
  config.threads = set_threads(config.threads, world);
  const InputPlan input = plan_input(config.loader, manifest);
  if (world.rank() == 0) RunFolder::require_new(config.run);
  if (manifest.find_split(config.loader.eval_split) == nullptr) {
    if (options.said("eval-split") && config.loader.eval_split != "none") manifest.split(config.loader.eval_split);
    log.info("no split judges the epochs: the lowest training loss decides which weights are best");
  }
  const std::unique_ptr<Accelerator> accelerator = take_device(config.device, world, log);
  RankCommunicators channels = make_rank_communicators(world, Seconds(config.timeout), accelerator.get());
  require_agreement(*channels.control, "the configuration", options.to_ini());
  const StopSignal stop;
  Trainer::Hooks hooks;
  hooks.stop_requested = [&stop] { return stop.requested(); };
  Trainer trainer(config, manifest, channels, log, hooks);
  // Made now that the trainer has found the config to fit the data: a refused command leaves no folder behind.
  std::optional<RunFolder> folder;
  if (world.rank() == 0) {
    RunRecord record = record_of(config, manifest, input, world.size());
    record.network = trainer.network();
    folder = RunFolder::create(config.run, options.with_absolute_paths(), record);
  }
  log.info(opening_line(config, manifest, input, trainer.network(), world));
  const TrainingResult result = trainer.run(folder);
  log.info(closing_line(config, result));
  return result.stopped ? Exit::resumable : Exit::done;
}

}  // namespace

Exit train_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  return run_in_world("lockstep train", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::train, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    const RunConfig config = RunConfig::from(options);
    if (options.flag("print-model")) return say(world, model_table(config));
    require_learnt_weights(config.model, false);
    if (!options.has("run")) options.reject("run", "--run is missing", "give --run DIR, the folder this run makes");
    return train(config, options, world, log);
  });
}

}  // namespace lockstep
