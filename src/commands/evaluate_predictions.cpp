#include "commands/evaluate_predictions.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands/verdict.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/json_text.hpp"
#include "lockstep/evaluate/compare_predictions.hpp"

namespace lockstep {
namespace {

ColumnWishes wishes_of(const Options& options) {
  ColumnWishes wishes;
  if (options.has("csv-name")) wishes.name = options.text("csv-name");
  if (options.has("csv-label")) wishes.label = options.text("csv-label");
  return wishes;
}

/// Predictions of a CSV file beside those of --labels.
ComparedPredictions compared_with_labels(const std::filesystem::path& predictions, const Options& options) {
  return compare_predictions(predictions_of(read_csv(predictions)), read_csv(options.path("labels")),
                             wishes_of(options));
}

/// Two classifiers are right or wrong at the same rows of --labels, whatever numbers their files give the classes.
Verdict verdict_on_table(const ComparedPredictions& compared, const Options& options) {
  const MetricSettings settings = metric_settings(options);
  options.reject_unused("bins", compared.samples.scored(), "columns of probabilities");
  Verdict verdict{full_metrics(compared.samples, compared.classes, settings), {}, {}, {}};
  if (!options.has("against")) return verdict;
  if (const std::filesystem::path against = options.path("against");
      std::filesystem::is_directory(against) || is_kept_predictions(against))
    options.reject("against", "scores of a run against a CSV file", "name two CSV files, or two runs");
  verdict.rival = options.text("against");
  verdict.against = compare_paired(compared.samples, compared_with_labels(options.path("against"), options).samples,
                                   settings.bootstrap);
  return verdict;
}

/// The metrics with what they are of.
std::string json_of(const Verdict& verdict, const std::vector<std::string>& classes, const Options& options) {
  nlohmann::ordered_json file{
      {"format_version", 1}, {"predictions", options.text("predictions")}, {"labels", options.text("labels")}};
  file.update(nlohmann::ordered_json::parse(metrics_object(verdict.metrics, classes)));
  if (verdict.against) file.update(nlohmann::ordered_json::parse(against_json(verdict)));
  return json_text(file) + "\n";
}

void judge_table(const Options& options, const Log& log) {
  const ComparedPredictions compared = compared_with_labels(options.path("predictions"), options);
  const Verdict verdict = verdict_on_table(compared, options);
  fmt::print("{}", verdict_text(verdict, compared.classes));
  if (!options.has("output")) return;
  write_file_atomically(options.path("output"), json_of(verdict, compared.classes, options));
  log.info("written to " + options.text("output"));
}

/// What evaluate would write, of --split or of all splits that are kept.
void judge_kept(const Options& options, const Log& log) {
  const std::filesystem::path file = options.path("predictions");
  const KeptPredictions kept = read_predictions(file);
  std::vector<const SplitPredictions*> splits;
  for (const SplitPredictions& split : kept.splits) splits.push_back(&split);
  if (options.said("split")) splits = {&kept.split(options.text("split"), file)};
  const SplitPredictions* calibration =
      options.has("calibrate-on") ? &kept.split(options.text("calibrate-on"), file) : nullptr;
  std::optional<Rival> rival;
  if (options.has("against")) rival = open_rival(options.path("against"));
  const bool writes = options.has("output");
  std::string json = writes && std::filesystem::exists(options.path("output")) ? read_file(options.path("output")) : "";
  for (const SplitPredictions* split : splits) {
    if (calibration != nullptr && calibration->weights_digest != split->weights_digest) {
      throw Error(fmt::format("the predictions of '{}' and of '{}' are of different weights ({}, {})",
                              calibration->split, split->split, calibration->weights, split->weights),
                  file.string(), "judge both splits with the same weights: lockstep evaluate --run RUN --weights …");
    }
    const Verdict verdict =
        verdict_on(*split, {kept.classes, metric_settings(options), calibration, rival ? &*rival : nullptr});
    if (splits.size() > 1) fmt::print("{}{}:\n", split == splits.front() ? "" : "\n", split->split);
    fmt::print("{}", verdict_text(verdict, kept.classes));
    json = metrics_json(verdict.metrics, kept.classes, {split->split, split->weights}, json, against_json(verdict));
  }
  if (!writes) return;
  write_file_atomically(options.path("output"), json);
  log.info("written to " + options.text("output"));
}

}  // namespace

Exit evaluate_predictions(const Options& options, const World& world, const Log& log) {
  if (std::filesystem::is_directory(options.path("predictions")))
    options.reject("predictions", "a folder", "name a file: the predictions.h5 of a run, or a CSV file");
  const bool kept = is_kept_predictions(options.path("predictions"));
  if (!kept && !options.has("labels"))
    options.reject("labels", "--labels is missing", "give the CSV file with the right labels to compare with");
  for (const char* option :
       {"run", "data", "weights", "test-time-flips", "ensemble", "member-weights", "choose-on", "keep-predictions"}) {
    if (options.said(option))
      options.reject(option, fmt::format("--{} is of runs, given together with --predictions", option),
                     "leave one of both out");
  }
  for (const char* option : {"labels", "csv-name", "csv-label"}) options.reject_unused(option, !kept, "a CSV file");
  for (const char* option : {"split", "calibrate-on"}) options.reject_unused(option, kept, "--run or a predictions.h5");
  if (world.rank() != 0) return Exit::done;
  kept ? judge_kept(options, log) : judge_table(options, log);
  return Exit::done;
}

}  // namespace lockstep
