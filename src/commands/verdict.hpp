// What lockstep evaluate says of the predictions of a split, whether a network has just made them or a file has kept
// them: the same predictions give the same words and bytes.
//
// On rank 0 alone. Internal to src/commands. Errors: --against that names no predictions, or those of other samples;
// what the metrics refuse.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/config/options.hpp"
#include "lockstep/evaluate/full_metrics.hpp"
#include "lockstep/evaluate/kept_predictions.hpp"
#include "lockstep/evaluate/significance.hpp"

namespace lockstep {

/// The values of --bins, --bootstrap, --level and --seed.
MetricSettings metric_settings(const Options& options);

/// What --against names.
struct Rival {
  std::string name;            ///< as it was said
  std::filesystem::path file;  ///< its predictions
  KeptPredictions kept;
  std::filesystem::path run;  ///< its folder; empty: a file was named
};

/// The file of a run's weights, "best" or "last".
std::filesystem::path weights_file(const std::filesystem::path& run, const std::string& weights);

/// What the rival said of the same samples. Errors: it is a run whose weights have been others then.
const SplitPredictions& said_by(const Rival& rival, const SplitPredictions& predictions,
                                const std::vector<std::string>& classes);

/// Reads a run's predictions.h5, or the file itself.
Rival open_rival(const std::filesystem::path& against);

/// What is judged with, beside the predictions themselves. Nothing is owned.
struct VerdictInput {
  const std::vector<std::string>& classes;
  MetricSettings settings;
  const SplitPredictions* calibration = nullptr;  ///< to fit a temperature on
  const Rival* rival = nullptr;
};

struct Verdict {
  Metrics metrics;
  std::optional<PairedComparison> against;
  std::string rival;        ///< how it is called
  std::string rival_split;  ///< as what its predictions are kept
};

Verdict verdict_on(const SplitPredictions& predictions, const VerdictInput& with);

/// Tables for a person.
std::string verdict_text(const Verdict& verdict, const std::vector<std::string>& classes);

/// The comparison, as the field "against" of a JSON object; empty: there is none.
std::string against_json(const Verdict& verdict);

}  // namespace lockstep
