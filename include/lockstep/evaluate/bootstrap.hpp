// How far chance moves a figure: intervals from resamples of the judged samples.
//
// The percentile bootstrap (Efron, 1979): n samples are drawn of n with replacement, `resamples` times, the figure is
// computed of each, and the interval lies between the (1 − level) / 2 and (1 + level) / 2 quantiles, linear between
// two values as numpy.percentile. A draw is a function of (seed, resample, place): the same for any number of ranks,
// and the same samples for two classifiers that are compared. A resample in which a figure is undefined is left out for
// it. It speaks of chance in the choice of images, not of another training. Pure functions; thread-safe. Time
// O(resamples · (samples + classes)).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lockstep/evaluate/judged_samples.hpp"

namespace lockstep {

struct BootstrapSettings {
  std::int64_t resamples = 1000;  ///< 0: no intervals
  std::uint64_t seed = 0;
  double level = 0.95;  ///< between 0 and 1
};

struct ConfidenceInterval {
  double low = 0, high = 0;
};

struct MetricIntervals {
  BootstrapSettings settings;
  ConfidenceInterval accuracy, balanced_accuracy, macro_f1, matthews;
  std::optional<ConfidenceInterval> kappa;
  std::optional<ConfidenceInterval> loss, top5;  ///< with scores
};

/// Between two quantiles of `values`, of which there is at least one.
ConfidenceInterval percentile_interval(std::vector<double> values, double level);

/// Nothing without resamples. `samples`: at least one.
std::optional<MetricIntervals> bootstrap(const JudgedSamples& samples, const BootstrapSettings& settings);

/// Of the mean of `values`, of which there is at least one.
ConfidenceInterval bootstrap_mean(std::span<const double> values, const BootstrapSettings& settings);

}  // namespace lockstep
