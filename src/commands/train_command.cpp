#include "commands/training_run.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/train/trainer.hpp"

namespace lockstep {
namespace {

std::string model_table(const RunConfig& config) {
  const Manifest manifest = Manifest::load(config.loader.data);
  const InputPlan input = plan_input(config.loader, manifest);
  const ModelInput shape{manifest.shape.channels, input.side, static_cast<std::int64_t>(manifest.classes.size())};
  return format_summary(summarise_model(config.model, shape));
}

}  // namespace

Exit train_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  return run_in_world("lockstep train", [&](World& world, const Log& log) {
    const Options said = Options::parse(Command::train, words);
    // The whole config of a run that stands on another one is known only when that has been read.
    const bool shows_others = said.flag("print-config") && (said.has("from") || said.has("resume"));
    if (!shows_others) {
      if (const auto answer = answer_to_questions(said)) return say(world, *answer);
    }
    const Options options = complete_options(said, world, log);
    if (shows_others) return say(world, options.to_ini());
    if (options.flag("print-model")) return say(world, model_table(RunConfig::from(options)));
    if (!options.has("run") && !options.flag("dry-run") && !options.flag("find-lr"))
      options.reject("run", "--run is missing", "give --run DIR, the folder this run makes");
    return train_run(options, world, log);
  });
}

}  // namespace lockstep
