#include "commands/evaluate_predictions.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "lockstep/core/files.hpp"
#include "lockstep/evaluate/compare_predictions.hpp"

namespace lockstep {
namespace {

/// The metrics with what they are of.
std::string json_of(const ComparedPredictions& compared, const Options& options) {
  nlohmann::ordered_json file{
      {"format_version", 1}, {"predictions", options.text("predictions")}, {"labels", options.text("labels")}};
  file.update(nlohmann::ordered_json::parse(metrics_object(compared.metrics, compared.classes)));
  return file.dump(2) + "\n";
}

ColumnWishes wishes_of(const Options& options) {
  ColumnWishes wishes;
  if (options.has("csv-name")) wishes.name = options.text("csv-name");
  if (options.has("csv-label")) wishes.label = options.text("csv-label");
  return wishes;
}

}  // namespace

Exit evaluate_predictions(const Options& options, const World& world, const Log& log) {
  if (!options.has("labels"))
    options.reject("labels", "--labels is missing", "give the CSV file with the right labels to compare with");
  for (const char* option :
       {"run", "data", "split", "weights", "test-time-flips", "ensemble", "member-weights", "choose-on"}) {
    if (options.said(option))
      options.reject(option, fmt::format("--{} is of runs, given together with --predictions", option),
                     "leave one of both out");
  }
  if (world.rank() != 0) return Exit::done;
  const ComparedPredictions compared = compare_predictions(predictions_of(read_csv(options.path("predictions"))),
                                                           read_csv(options.path("labels")), wishes_of(options));
  fmt::print("{}", format_metrics(compared.metrics, compared.classes));
  if (!options.has("output")) return Exit::done;
  write_file_atomically(options.path("output"), json_of(compared, options));
  log.info("written to " + options.text("output"));
  return Exit::done;
}

}  // namespace lockstep
