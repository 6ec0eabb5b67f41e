#include "lockstep/evaluate/significance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t fewest_for_chi_square = 25;

/// P(X <= k) of n throws of a coin; n is small.
double coin_tail(std::int64_t n, std::int64_t k) {
  double term = std::ldexp(1.0, -static_cast<int>(n)), sum = 0;
  for (std::int64_t i = 0; i <= k; ++i) {
    sum += term;
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  }
  return sum;
}

bool right(const Prediction& prediction) { return prediction.label == prediction.predicted; }

}  // namespace

McNemar mcnemar(std::int64_t only_first, std::int64_t only_second) {
  McNemar test{only_first, only_second};
  const std::int64_t different = only_first + only_second;
  test.exact = different < fewest_for_chi_square;
  if (test.exact) {
    test.p = std::min(1.0, 2 * coin_tail(different, std::min(only_first, only_second)));
    return test;
  }
  const auto apart = static_cast<double>(std::max<std::int64_t>(std::abs(only_first - only_second) - 1, 0));
  test.statistic = apart * apart / static_cast<double>(different);
  test.p = std::erfc(std::sqrt(test.statistic / 2));
  return test;
}

PairedComparison compare_paired(const JudgedSamples& ours, const JudgedSamples& other,
                                const BootstrapSettings& settings) {
  if (ours.predictions.size() != other.predictions.size() || ours.predictions.empty())
    throw defect("a comparison of other samples", "significance");
  PairedComparison result;
  result.samples = std::ssize(ours.predictions);
  std::vector<double> differences;
  std::int64_t only_ours = 0, only_other = 0;
  for (std::size_t i = 0; i < ours.predictions.size(); ++i) {
    const bool mine = right(ours.predictions[i]), theirs = right(other.predictions[i]);
    differences.push_back((mine ? 1.0 : 0.0) - (theirs ? 1.0 : 0.0));
    ++(mine ? (theirs ? result.both_right : only_ours) : (theirs ? only_other : result.both_wrong));
  }
  const auto samples = static_cast<double>(result.samples);
  result.accuracy = static_cast<double>(result.both_right + only_ours) / samples;
  result.other_accuracy = static_cast<double>(result.both_right + only_other) / samples;
  result.test = mcnemar(only_ours, only_other);
  if (settings.resamples > 0) result.difference = bootstrap_mean(differences, settings);
  return result;
}

std::string format_comparison(const PairedComparison& comparison, const std::string& other) {
  const double points = 100 * (comparison.accuracy - comparison.other_accuracy);
  std::string text = fmt::format("against {}: accuracy {:.2f} % and {:.2f} %, {:+.2f} points", other,
                                 100 * comparison.accuracy, 100 * comparison.other_accuracy, points);
  if (comparison.difference)
    text += fmt::format(" [{:+.2f}, {:+.2f}]", 100 * comparison.difference->low, 100 * comparison.difference->high);
  text += fmt::format("\n  right: both {}, only this one {}, only the other {}, neither {}\n", comparison.both_right,
                      comparison.test.only_first, comparison.test.only_second, comparison.both_wrong);
  text += comparison.test.exact ? fmt::format("  McNemar's test, exact: p = {:.4g}\n", comparison.test.p)
                                : fmt::format("  McNemar's test: chi-square {:.4f}, p = {:.4g}\n",
                                              comparison.test.statistic, comparison.test.p);
  return text;
}

}  // namespace lockstep
