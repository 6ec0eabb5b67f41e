// What freezing brings and costs: one result for each run of a freeze study, and all of them as a table, figures, a plot.
//
// A result is read from the folder of a run that has ended, so that it does not matter in which process the run was made
// or how often it was resumed. Values and pure functions but for read_freeze_result, which reads; thread-safe. Errors: a
// run that nothing judged; text that is no such result.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/record/run_folder.hpp"

namespace lockstep {

struct FreezeResult {
  double fraction = 0;  ///< of the network, from its input on, that kept its weights
  std::int64_t seed = 0;
  std::int64_t ranks = 0;
  std::int64_t parameters = 0, trained_parameters = 0;
  std::int64_t gradient_bytes = 0;  ///< that each rank gives to the sum of a step
  std::int64_t epochs = 0;
  double epoch_seconds = 0;  ///< of training, judgements apart: median of the epochs, the first left out if there are more
  double train_seconds = 0;  ///< of all epochs
  double accuracy = 0;       ///< of the best weights, on the split that judges

  std::string to_json() const;
  /// `where` is named in errors.
  static FreezeResult from_json(std::string_view text, const std::string& where);
  bool operator==(const FreezeResult&) const = default;
};

FreezeResult read_freeze_result(const RunFolder& run, double fraction, std::int64_t seed);

/// Mean and sample standard deviation (0 of a single value).
struct Spread {
  double mean = 0, deviation = 0;
};
Spread spread_of(const std::vector<double>& values);

/// A row for each fraction, over its seeds, as a Markdown table that is readable as it is.
std::string freeze_table(const std::vector<FreezeResult>& results);
/// Every result, as JSON.
std::string freeze_json(const std::vector<FreezeResult>& results);
/// Accuracy, seconds of an epoch and bytes of a step over the fraction, as an SVG file.
std::string freeze_plot(const std::vector<FreezeResult>& results);

}  // namespace lockstep
