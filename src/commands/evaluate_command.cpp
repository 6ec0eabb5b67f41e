#include <fmt/format.h>

#include <cstdio>

#include "commands/evaluate_predictions.hpp"
#include "commands/ranks.hpp"
#include "commands/run_data.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/train/rank_communicators.hpp"

namespace lockstep {
namespace {

/// What was judged, as metrics.json keeps it: a score on other data, or of averaged views, must not take the place of
/// the plain one.
std::string judged_name(const std::string& split, const RunData& data, const Options& options) {
  std::string name = split;
  if (!data.same) name += " of " + std::filesystem::absolute(data.folder).lexically_normal().string();
  if (flips_of(options) != TestTimeFlips::none) name += ", test-time flips " + options.text("test-time-flips");
  return name;
}

void report_run(const Evaluation& evaluation, const Committee& committee, const std::string& judged,
                const Options& options, const Log& log) {
  const RunFolder run = RunFolder::open(options.paths("run").front());
  const std::string before = std::filesystem::exists(run.metrics()) ? read_file(run.metrics()) : std::string();
  write_file_atomically(
      run.metrics(), metrics_json(evaluation.metrics, committee.classes(), {judged, options.text("weights")}, before));
  fmt::print("{}", format_metrics(evaluation.metrics, committee.classes()));
  log.info(fmt::format("{:.1f} images/s; written to {}",
                       static_cast<double>(evaluation.metrics.samples) / evaluation.seconds, run.metrics().string()));
}

void report_ensemble(const Judgement& judgement, const Committee& committee, const std::string& judged,
                     const Options& options, const Log& log) {
  fmt::print("{}{}", committee.table(judgement), format_metrics(judgement.ensemble.metrics, committee.classes()));
  if (!options.has("output")) return;
  write_file_atomically(options.path("output"), committee.json(judgement, judged));
  log.info("written to " + options.text("output"));
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
  options.reject_unused("choose-on", committee.chooses() && !committee.alone(), "--ensemble best or greedy");
  const RunData data = open_run_data(committee.members(), options.has("data") ? options.path("data") : "", world, log);
  const std::unique_ptr<Accelerator> accelerator = take_device(device_of(options), world, log);
  if (accelerator) committee.to(accelerator->device());
  const std::int64_t threads = set_threads(options.integer("threads"), world);
  const RankCommunicators channels = make_rank_communicators(world, Seconds(options.real("timeout")));
  if (committee.chooses() && !committee.alone())
    choose_members(committee, data, threads, options, *channels.control, log);
  const JudgedImages images(committee, data, options.text("split"), threads, flips_of(options));
  const std::string judged = judged_name(options.text("split"), data, options);
  if (committee.alone()) {
    const Scorer& scorer = images.members.scorers().front();
    const Evaluation evaluation =
        evaluate(scorer.model, scorer.input, std::ssize(committee.classes()), scorer.settings, *channels.control);
    if (world.rank() == 0) report_run(evaluation, committee, judged, options, log);
    return Exit::done;
  }
  const Judgement judgement = committee.judge(images.members, images.mean, *channels.control);
  if (world.rank() == 0) report_ensemble(judgement, committee, judged, options, log);
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
