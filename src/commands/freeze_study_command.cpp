#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "commands/training_run.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/report/freeze_study.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

/// One run of the study.
struct Trial {
  double fraction;
  std::int64_t seed;
  Options options;  // of train
  fs::path run;     // its folder

  /// Where its result is kept once it has ended.
  fs::path result() const { return run.string() + ".json"; }
};

/// What a study goes on with although it is said anew: where things lie, how fast they go, and more runs.
constexpr auto free_options = std::to_array<std::string_view>({
    "output",   "fractions", "seeds",          "run",   "seed",  "freeze-fraction", "threads",
    "prefetch", "device",    "loader-threads", "cache", "stage", "timeout",
    "tensorboard", "tensorboard-histograms", "tensorboard-images"});

/// The study decides what is frozen, and makes the runs.
void reject_what_it_decides(const Options& options) {
  for (const std::string_view name : {"freeze", "freeze-first", "unfreeze-at"}) {
    if (options.changed(name))
      options.reject(name, "a freeze study says itself what is frozen", "leave it out, and give --fractions");
  }
  for (const std::string_view name : {"resume", "from", "dry-run", "print-model", "find-lr"}) {
    if (options.changed(name))
      options.reject(name, "a freeze study makes its runs itself, and goes on where it was",
                     "leave it out, or use lockstep train");
  }
  if (options.text("eval-split") == "none")
    options.reject("eval-split", "nothing would judge the runs", "name a split that the data set has");
}

Options trial_options(const Options& study, double fraction, std::int64_t seed, const fs::path& run) {
  Options options = study.as(Command::train)
                        .with("freeze-fraction", fmt::format("{}", fraction))
                        .with("seed", std::to_string(seed))
                        .with("run", run.string());
  if (fraction == 0) options = options.without("feature-cache").without("feature-folder");  // there is nothing to keep
  return options;
}

/// The same number twice would be the same run twice.
template <typename Number>
void require_different(const Options& options, std::string_view name, const std::vector<Number>& numbers) {
  if (numbers.empty()) options.reject(name, "no number is given", "give at least one");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (numbers[i] == numbers[j])
        options.reject(name, fmt::format("{} is given twice", numbers[i]), "give every number once");
    }
  }
}

std::vector<Trial> trials_of(const Options& options) {
  const std::vector<double> fractions = options.reals("fractions");
  const std::vector<std::int64_t> seeds = options.integers("seeds");
  require_different(options, "fractions", fractions);
  require_different(options, "seeds", seeds);
  std::vector<Trial> trials;
  // Seed by seed, so that a study that is stopped early has something of every share.
  for (const std::int64_t seed : seeds) {
    for (const double fraction : fractions) {
      const fs::path run = options.path("output") / fmt::format("frozen-{:g}-seed-{}", fraction, seed);
      trials.push_back({fraction, seed, trial_options(options, fraction, seed, run), run});
    }
  }
  return trials;
}

/// On rank 0: makes the study's folder, or finds that the study there is this one.
void begin_or_go_on(const Options& options) {
  const fs::path folder = options.path("output"), file = folder / "study.ini";
  if (!fs::exists(file)) {
    if (fs::exists(folder) && !fs::is_empty(folder)) {
      throw Error("the folder holds something else than a freeze study", folder.string(), "name another --output",
                  Exit::usage);
    }
    make_folder(folder);
    write_file_atomically(file, options.with_absolute_paths().to_ini());
    return;
  }
  const Options before = Options::from_ini(Command::freeze_study, read_file(file, 1 << 20), file.string());
  for (const std::string& name : options.with_absolute_paths().differences(before)) {
    if (std::ranges::find(free_options, name) != free_options.end()) continue;
    const auto text = [&name](const Options& said) { return said.has(name) ? said.text(name) : std::string("nothing"); };
    options.reject(name, fmt::format("'{}' is not what the study there began with ('{}')", text(options), text(before)),
                   "a study compares like with like: leave it as it was, or name another --output");
  }
  write_file_atomically(file, options.with_absolute_paths().to_ini());  // it may have more shares and seeds now
}

/// What is to be done for a trial, as rank 0 finds it.
std::string next_step(const Trial& trial, World& world) {
  std::string step = "begin";
  if (world.rank() == 0) {
    if (fs::exists(trial.result()))
      step = "nothing";
    else if (fs::exists(trial.run / "config.ini"))
      step = "go on";
  }
  return world.broadcast(step);
}

Exit run_trial(const Trial& trial, const std::string& step, World& world, const Log& log) {
  const Options said = step == "go on" ? trial.options.with("resume", trial.run.string()) : trial.options;
  const Exit exit = train_run(complete_options(said, world, log), world, log);
  if (exit == Exit::done && world.rank() == 0) {
    const RunFolder run = RunFolder::open(trial.run);
    write_file_atomically(trial.result(), read_freeze_result(run, trial.fraction, trial.seed).to_json());
  }
  return exit;
}

Exit report(const std::vector<Trial>& trials, const fs::path& folder, World& world, const Log& log) {
  if (world.rank() != 0) return Exit::done;
  std::vector<FreezeResult> results;
  for (const Trial& trial : trials) {
    const fs::path file = trial.result();
    results.push_back(FreezeResult::from_json(read_file(file, 1 << 20), file.string()));
  }
  const std::string table = freeze_table(results);
  write_file_atomically(folder / "study.md", table);
  write_file_atomically(folder / "study.json", freeze_json(results));
  write_file_atomically(folder / "study.svg", freeze_plot(results));
  log.info(fmt::format("{} runs; table, figures and plot: {}", results.size(), (folder / "study.{md,json,svg}").string()));
  return say(world, table);
}

Exit study(const Options& options, World& world, const Log& log) {
  reject_what_it_decides(options);
  const std::vector<Trial> trials = trials_of(options);
  for (const Trial& trial : trials) RunConfig::from(trial.options);  // what is wrong is found before the first hour
  if (world.rank() == 0) begin_or_go_on(options);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const Trial& trial = trials[i];
    const std::string step = next_step(trial, world);
    if (step == "nothing") continue;
    log.info(fmt::format("run {} of {}: {:g} of the network frozen, seed {}", i + 1, trials.size(), trial.fraction,
                         trial.seed));
    if (const Exit exit = run_trial(trial, step, world, log); exit != Exit::done) return exit;
  }
  return report(trials, options.path("output"), world, log);
}

}  // namespace

Exit freeze_study_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  return run_in_world("lockstep freeze-study", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::freeze_study, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    return study(options, world, log);
  });
}

}  // namespace lockstep
