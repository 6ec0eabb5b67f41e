#include "lockstep/evaluate/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

/// Slope and curvature, in the inverse of the temperature, of the mean −log p(label).
struct Derivatives {
  double slope = 0, curvature = 0;
};

Derivatives derivatives(std::span<const double> scores, std::span<const std::int64_t> labels, double inverse) {
  const std::size_t classes = scores.size() / labels.size();
  Derivatives sums;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const double> row = scores.subspan(i * classes, classes);
    const double top = *std::ranges::max_element(row);
    double total = 0, mean = 0, square = 0;  // moments of the scores below the top under the scaled probabilities
    for (const double score : row) {
      const double below = score - top, weight = std::exp(inverse * below);
      total += weight;
      mean += weight * below;
      square += weight * below * below;
    }
    mean /= total;
    sums.slope += mean - (row[static_cast<std::size_t>(labels[i])] - top);
    sums.curvature += square / total - mean * mean;
  }
  const auto samples = static_cast<double>(labels.size());
  return {sums.slope / samples, sums.curvature / samples};
}

/// Whether every label has a largest score of its sample.
bool all_right(std::span<const double> scores, std::span<const std::int64_t> labels) {
  const std::size_t classes = scores.size() / labels.size();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const double> row = scores.subspan(i * classes, classes);
    if (row[static_cast<std::size_t>(labels[i])] < *std::ranges::max_element(row)) return false;
  }
  return true;
}

/// The farthest that a sample's scores lie apart.
double spread_of(std::span<const double> scores, std::size_t classes) {
  double spread = 0;
  for (std::size_t at = 0; at < scores.size(); at += classes) {
    const auto [least, most] = std::ranges::minmax(scores.subspan(at, classes));
    spread = std::max(spread, most - least);
  }
  return spread;
}

std::size_t bin_of(const std::vector<ReliabilityBin>& bins, double confidence) {
  const auto found = std::ranges::find_if(bins, [&](const ReliabilityBin& bin) { return confidence <= bin.high; });
  return std::min(static_cast<std::size_t>(found - bins.begin()), bins.size() - 1);
}

}  // namespace

Calibration calibration_of(const JudgedSamples& samples, std::int64_t bins) {
  Calibration result;
  const double width = 1 / static_cast<double>(bins);
  for (std::int64_t b = 0; b < bins; ++b) {
    const double high = b + 1 == bins ? 1 : static_cast<double>(b + 1) * width;  // numpy.linspace's bits
    result.bins.push_back({static_cast<double>(b) * width, high, 0, 0, 0});
  }
  for (std::size_t i = 0; i < samples.predictions.size(); ++i) {
    const Prediction& prediction = samples.predictions[i];
    const double confidence = samples.row(i)[static_cast<std::size_t>(prediction.predicted)];
    ReliabilityBin& bin = result.bins[bin_of(result.bins, confidence)];
    ++bin.samples;
    bin.confidence += confidence;
    bin.accuracy += prediction.predicted == prediction.label ? 1 : 0;
  }
  for (ReliabilityBin& bin : result.bins) {
    if (bin.samples == 0) continue;
    const auto count = static_cast<double>(bin.samples);
    bin.confidence /= count;
    bin.accuracy /= count;
    const double error = std::abs(bin.accuracy - bin.confidence);
    result.expected_error += error * count / static_cast<double>(samples.predictions.size());
    result.largest_error = std::max(result.largest_error, error);
  }
  return result;
}

TemperatureFit fit_temperature(std::span<const double> scores, std::span<const std::int64_t> labels) {
  constexpr double close = 1e-14;  // relative: the last digits of a double
  const auto slope = [&](double inverse) { return derivatives(scores, labels, inverse).slope; };
  if (!(slope(0) < 0))
    return {std::nullopt, "its scores say less than equal ones would: no temperature makes them right"};
  if (all_right(scores, labels))
    return {std::nullopt, "it tells too little: its samples are right, the more so the lower the temperature"};
  // Now the slope rises from below 0 to above it; where, follows the scale of the scores.
  double low = 1 / spread_of(scores, scores.size() / labels.size()), high = low;
  while (slope(low) >= 0 && low / 2 > 0) low /= 2;
  while (slope(high) <= 0 && std::isfinite(high * 2)) high *= 2;
  double inverse = std::sqrt(low) * std::sqrt(high);
  for (int step = 0; step < 200 && high - low > close * high; ++step) {
    const Derivatives here = derivatives(scores, labels, inverse);
    if (here.slope == 0) break;
    (here.slope < 0 ? low : high) = inverse;
    const double newton = inverse - here.slope / here.curvature;  // no number or outside where it is flat
    const double next = newton > low && newton < high ? newton : std::sqrt(low) * std::sqrt(high);
    if (std::abs(next - inverse) <= close * inverse) break;
    inverse = next;
  }
  return {1 / inverse, ""};
}

}  // namespace lockstep
