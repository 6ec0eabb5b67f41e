// Whether probabilities are what they say: the reliability curve with its expected error, and the temperature that
// mends it.
//
// Confidence is the probability of the predicted class. Bins are of equal width, (low, high], the first with 0 (Naeini
// et al., 2015; scikit-learn's calibration_curve of right against confidence). Temperature scaling (Guo et al., 2017):
// scores divided by one number that minimises the mean −log p of a split that is not the judged one. In the inverse of
// the temperature that mean is convex, so its only minimum is where its slope is 0: Newton's steps, kept between two
// sides that close in. Pure functions; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/evaluate/judged_samples.hpp"

namespace lockstep {

struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t samples = 0;
  double confidence = 0, accuracy = 0;  ///< means over the samples; 0 where there are none
};

struct Calibration {
  std::vector<ReliabilityBin> bins;
  double expected_error = 0;  ///< mean |accuracy − confidence| of the bins, weighted by their samples (ECE)
  double largest_error = 0;   ///< the largest of a bin with samples (MCE)
};

/// `samples`: scored, at least one. `bins`: at least 1.
Calibration calibration_of(const JudgedSamples& samples, std::int64_t bins);

struct TemperatureFit {
  std::optional<double> temperature;
  std::string why_none;  ///< as a clause, where there is none: all are right, or the scores say nothing
};

/// `scores`: [sample · classes], of any scale; a sample's differ by finite amounts. `labels`: [sample], at least one.
TemperatureFit fit_temperature(std::span<const double> scores, std::span<const std::int64_t> labels);

}  // namespace lockstep
