#include <fmt/format.h>

#include <cstdio>

#include "commands/evaluate_predictions.hpp"
#include "commands/ranks.hpp"
#include "commands/run_data.hpp"
#include "commands/verdict.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/digest.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/evaluate/metric_choice.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/train/rank_communicators.hpp"

namespace lockstep {
namespace {

/// What was judged, as metrics.json and predictions.h5 keep it: a score on other data, of averaged views or of the last
/// weights must not take the place of the plain one.
std::string judged_name(const std::string& split, const RunData& data, const Options& options) {
  std::string name = split;
  if (!data.same) name += " of " + std::filesystem::absolute(data.folder).lexically_normal().string();
  if (flips_of(options) != TestTimeFlips::none) name += ", test-time flips " + options.text("test-time-flips");
  if (options.text("weights") != "best") name += fmt::format(", {} weights", options.text("weights"));
  return name;
}

/// What is judged beside the split itself, and by what.
struct Task {
  const RunData& data;
  std::int64_t threads;
  const Options& options;
  Communicator& communicator;
  const Log& log;
};

JudgedImages images_to_judge(const Committee& committee, const std::string& split, const Task& task) {
  return {committee, task.data, split, task.threads, flips_of(task.options)};
}

/// Of one run.
Evaluation evaluate_alone(const Committee& committee, const std::string& split, const Task& task) {
  const JudgedImages images = images_to_judge(committee, split, task);
  const Scorer& scorer = images.members.scorers().front();
  return evaluate(scorer.model, scorer.input, std::ssize(committee.classes()), scorer.settings, task.communicator);
}

/// As predictions.h5 keeps them.
SplitPredictions predictions_on(Evaluation evaluation, const std::string& split, const Task& task) {
  SplitPredictions kept;
  kept.split = judged_name(split, task.data, task.options);
  kept.weights = task.options.text("weights");
  kept.data_digest = task.data.manifest.digest();
  for (const Prediction& prediction : evaluation.predictions) {
    kept.ids.push_back(prediction.id);
    kept.labels.push_back(prediction.label);
    kept.predicted.push_back(prediction.predicted);
  }
  if (task.communicator.rank() == 0 && task.options.paths("run").size() == 1)
    kept.weights_digest = file_digest(weights_file(task.options.paths("run").front(), kept.weights));
  kept.scores = std::move(evaluation.scores);
  kept.single_precision = evaluation.single_precision;
  return kept;
}

/// Those of --calibrate-on; nothing unless it was said. On rank 0 they hold scores.
std::optional<SplitPredictions> fitted_predictions(const Committee& committee, const Task& task) {
  if (!task.options.has("calibrate-on")) return std::nullopt;
  const std::string split = task.options.text("calibrate-on");
  Evaluation evaluation = committee.alone() ? evaluate_alone(committee, split, task) : [&] {
    const JudgedImages images = images_to_judge(committee, split, task);
    return committee.judge(images.members, images.mean, task.communicator).ensemble;
  }();
  return predictions_on(std::move(evaluation), split, task);
}

/// The rival's predictions of what will be judged, so that what does not fit is said before the network runs.
std::optional<Rival> rival_of(const Committee& committee, const Task& task) {
  if (!task.options.has("against")) return std::nullopt;
  Rival rival = open_rival(task.options.path("against"));
  const DataSplit split(task.data.folder, task.data.manifest, task.options.text("split"));
  SplitPredictions to_judge;
  to_judge.split = judged_name(split.name(), task.data, task.options);
  to_judge.data_digest = task.data.manifest.digest();
  for (const std::int64_t position : split.positions_by_id()) {
    if (split.label(position) < 0) continue;
    to_judge.ids.push_back(split.id(position));
    to_judge.labels.push_back(split.label(position));
  }
  said_by(rival, to_judge, committee.classes());
  return rival;
}

void keep(const RunFolder& run, const Committee& committee, const SplitPredictions& predictions, const Log& log) {
  const std::string why = keep_predictions(run.predictions(), committee.classes(), predictions);
  if (!why.empty())
    log.info(fmt::format("note: {} is now {}, and begun anew: {}", run.predictions().filename().string(),
                         set_aside(run.predictions()).filename().string(), why));
}

/// `evaluation` and `calibration` hold the scores of all classes: they are handed on, not copied.
void report_run(Evaluation evaluation, std::optional<SplitPredictions> calibration, const std::optional<Rival>& rival,
                const Committee& committee, const Task& task) {
  const RunFolder run = RunFolder::open(task.options.paths("run").front());
  const double images_per_second = static_cast<double>(evaluation.metrics.samples) / evaluation.seconds;
  SplitPredictions predictions = predictions_on(std::move(evaluation), task.options.text("split"), task);
  const Verdict verdict = verdict_on(predictions, {committee.classes(), metric_settings(task.options),
                                                   calibration ? &*calibration : nullptr, rival ? &*rival : nullptr});
  const Judged judged{predictions.split, predictions.weights};
  const bool keeps = task.options.flag("keep-predictions");
  if (keeps) keep(run, committee, predictions, task.log);
  if (keeps && calibration && calibration->split != judged.split) keep(run, committee, *calibration, task.log);
  const std::string before = std::filesystem::exists(run.metrics()) ? read_file(run.metrics()) : std::string();
  write_file_atomically(run.metrics(),
                        metrics_json(verdict.metrics, committee.classes(), judged, before, against_json(verdict)));
  fmt::print("{}", verdict_text(verdict, committee.classes()));
  task.log.info(fmt::format("{:.1f} images/s; written to {}{}", images_per_second, run.metrics().string(),
                            keeps ? " and " + run.predictions().filename().string() : ""));
}

void report_ensemble(Judgement judgement, const std::optional<SplitPredictions>& calibration,
                     const std::optional<Rival>& rival, const Committee& committee, const Task& task) {
  const MetricSettings settings = metric_settings(task.options);
  const std::string split = task.options.text("split");
  for (Evaluation& member : judgement.members) {
    if (!task.options.has("output")) break;  // the table has what they were judged by already
    member.metrics = verdict_on(predictions_on(member, split, task), {committee.classes(), settings}).metrics;
  }
  const Verdict verdict =
      verdict_on(predictions_on(judgement.ensemble, split, task),
                 {committee.classes(), settings, calibration ? &*calibration : nullptr, rival ? &*rival : nullptr});
  judgement.ensemble.metrics = verdict.metrics;
  fmt::print("{}{}", committee.table(judgement), verdict_text(verdict, committee.classes()));
  if (!task.options.has("output")) return;
  write_file_atomically(task.options.path("output"),
                        committee.json(judgement, judged_name(split, task.data, task.options), against_json(verdict)));
  task.log.info("written to " + task.options.text("output"));
}

/// best and greedy look at a split before they are judged; judged on the same one they look better than they are.
void choose_members(Committee& committee, const RunData& data, std::int64_t threads, const Options& options,
                    Communicator& communicator, const Log& log) {
  const std::string split = options.text("choose-on");
  if (split == "none")
    options.reject("choose-on", fmt::format("--ensemble {} needs a split to choose on", committee.rule()),
                   "name one that the runs were not trained on, such as validation");
  const JudgedImages images(committee, data, split, threads, flips_of(options));
  committee.choose(images.members, communicator);
  if (split == options.text("split"))
    log.info(fmt::format("note: the members were chosen on {}, on which they are judged: expect less of other images",
                         split));
}

Exit evaluate_runs(const Options& options, World& world, const Log& log) {
  std::vector<Member> runs;
  for (const std::filesystem::path& run : options.paths("run"))
    runs.push_back(member_of_run(run, options.text("weights")));
  Committee committee(std::move(runs), options);
  options.reject_unused("output", !committee.alone(), "several --run, or --predictions");
  options.reject_unused("keep-predictions", committee.alone(), "one --run");
  options.reject_unused("choose-on", committee.chooses() && !committee.alone(), "--ensemble best or greedy");
  const RunData data = open_run_data(committee.members(), options.has("data") ? options.path("data") : "", world, log);
  require_labels(data.manifest, joined_splits(options.text("split")), "--split");
  if (options.has("calibrate-on"))
    require_labels(data.manifest, joined_splits(options.text("calibrate-on")), "--calibrate-on");
  const std::unique_ptr<Accelerator> accelerator = take_device(device_of(options), world, log);
  if (accelerator) committee.to(accelerator->device());
  const std::int64_t threads = set_threads(options.integer("threads"), world);
  const RankCommunicators channels = make_rank_communicators(world, Seconds(options.real("timeout")));
  if (committee.chooses() && !committee.alone())
    choose_members(committee, data, threads, options, *channels.control, log);
  const Task task{data, threads, options, *channels.control, log};
  std::optional<Rival> rival;
  if (world.rank() == 0) rival = rival_of(committee, task);
  if (committee.alone()) {
    Evaluation evaluation = evaluate_alone(committee, options.text("split"), task);
    auto calibration = fitted_predictions(committee, task);
    if (world.rank() == 0) report_run(std::move(evaluation), std::move(calibration), rival, committee, task);
    return Exit::done;
  }
  const JudgedImages images = images_to_judge(committee, options.text("split"), task);
  Judgement judgement = committee.judge(images.members, images.mean, *channels.control);
  const auto calibration = fitted_predictions(committee, task);
  if (world.rank() == 0) report_ensemble(std::move(judgement), calibration, rival, committee, task);
  return Exit::done;
}

}  // namespace

Exit evaluate_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  return run_in_world("lockstep evaluate", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::evaluate, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    if (options.has("predictions")) return evaluate_predictions(options, world, log);
    for (const char* option : {"labels", "csv-name", "csv-label"})
      options.reject_unused(option, false, "--predictions");
    return evaluate_runs(options, world, log);
  });
}

}  // namespace lockstep
