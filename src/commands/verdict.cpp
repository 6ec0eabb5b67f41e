#include "commands/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/counterpart.hpp"
#include "lockstep/record/run_folder.hpp"

namespace lockstep {
namespace {

std::size_t common_samples(const SplitPredictions& a, const SplitPredictions& b) {
  if (a.data_digest != b.data_digest) return 0;
  std::vector<std::int64_t> both;
  std::ranges::set_intersection(a.ids, b.ids, std::back_inserter(both));
  return both.size();
}

}  // namespace

MetricSettings metric_settings(const Options& options) {
  for (const char* option : {"level", "seed"})
    options.reject_unused(option, options.integer("bootstrap") > 0, "--bootstrap above 0");
  return {options.integer("bins"),
          {options.integer("bootstrap"), static_cast<std::uint64_t>(options.integer("seed")), options.real("level")}};
}

std::filesystem::path weights_file(const std::filesystem::path& run, const std::string& weights) {
  const RunFolder folder = RunFolder::at(run);
  return weights == "last" ? folder.last_weights() : folder.best_weights();
}

const SplitPredictions& said_by(const Rival& rival, const SplitPredictions& predictions,
                                const std::vector<std::string>& classes) {
  const SplitPredictions& kept = counterpart(predictions, classes, rival.kept, rival.file);
  if (rival.run.empty() || file_digest(weights_file(rival.run, kept.weights)) == kept.weights_digest) return kept;
  throw Error(fmt::format("the run's {} weights are others than when it was judged on '{}'", kept.weights, kept.split),
              rival.file.string(), "judge it again: lockstep evaluate --run " + rival.name);
}

Rival open_rival(const std::filesystem::path& against) {
  Rival rival{against.string(), against, {}, {}};
  if (std::filesystem::is_directory(against)) {
    rival.run = against;
    rival.file = RunFolder::open(against).predictions();
    if (!std::filesystem::exists(rival.file))
      throw Error("the run has no predictions yet", rival.file.string(),
                  "make them: lockstep evaluate --run " + rival.name + " with the same --split");
  }
  if (std::filesystem::exists(rival.file) && !is_kept_predictions(rival.file))
    throw Error("not a predictions.h5", rival.file.string(),
                "name a run, or its predictions.h5; CSV files: --predictions FILE --labels FILE --against FILE");
  rival.kept = read_predictions(rival.file);
  return rival;
}

Verdict verdict_on(const SplitPredictions& predictions, const VerdictInput& with) {
  const SplitPredictions* other = with.rival == nullptr ? nullptr : &said_by(*with.rival, predictions, with.classes);
  const JudgedSamples samples = predictions.judged();
  Verdict verdict{full_metrics(samples, with.classes, with.settings), {}, {}, {}};
  if (const SplitPredictions* fitted = with.calibration) {
    verdict.metrics.rescaled =
        rescale(samples, predictions.scores, fitted->split, fitted->scores, fitted->labels, with.settings.bins);
    if (const std::size_t both = common_samples(*fitted, predictions); both > 0)
      verdict.metrics.notes.push_back(
          fmt::format("the temperature was fitted on {} of the samples that are judged: it flatters itself", both));
  }
  if (other != nullptr) {
    verdict.rival = with.rival->name;
    verdict.rival_split = other->split;
    verdict.against = compare_paired(samples, other->judged(), with.settings.bootstrap);
    if (other->split != predictions.split)
      verdict.metrics.notes.push_back(
          fmt::format("compared with what {} says of the same samples as '{}'", with.rival->name, other->split));
  }
  return verdict;
}

std::string verdict_text(const Verdict& verdict, const std::vector<std::string>& classes) {
  std::string text = format_metrics(verdict.metrics, classes);
  if (verdict.against) text += format_comparison(*verdict.against, verdict.rival);
  return text;
}

std::string against_json(const Verdict& verdict) {
  if (!verdict.against) return "";
  const PairedComparison& found = *verdict.against;
  nlohmann::ordered_json json{{"name", verdict.rival}};
  if (!verdict.rival_split.empty()) json["split"] = verdict.rival_split;
  json.update(nlohmann::ordered_json{{"accuracy", found.other_accuracy},
                                     {"difference", found.accuracy - found.other_accuracy}});
  if (found.difference) json["interval"] = {found.difference->low, found.difference->high};
  json["both_right"] = found.both_right;
  json["only_this_right"] = found.test.only_first;
  json["only_other_right"] = found.test.only_second;
  json["both_wrong"] = found.both_wrong;
  json["mcnemar"] = {{"exact", found.test.exact}, {"p", found.test.p}};
  if (!found.test.exact) json["mcnemar"]["chi_square"] = found.test.statistic;
  return nlohmann::ordered_json{{"against", json}}.dump();
}

}  // namespace lockstep
