#include "lockstep/evaluate/bootstrap.hpp"

#include <algorithm>
#include <cmath>

#include "lockstep/core/draws.hpp"
#include "lockstep/evaluate/class_counts.hpp"

namespace lockstep {
namespace {

/// Calls `take` with the places of one resample of n samples.
template <typename Take>
void draw_places(const BootstrapSettings& settings, std::int64_t resample, std::size_t n, const Take& take) {
  const Draws draws(settings.seed, Purpose::bootstrap, static_cast<std::uint64_t>(resample));
  const auto place = [&](std::uint32_t high, std::uint32_t low) {
    const auto drawn = static_cast<std::size_t>(unit_interval(high, low) * static_cast<double>(n));
    return std::min(drawn, n - 1);  // a product just below n may round up to it
  };
  for (std::size_t i = 0; i < n; i += 2) {
    const PhiloxBlock bits = draws.at(i / 2);
    take(place(bits[0], bits[1]));
    if (i + 1 < n) take(place(bits[2], bits[3]));
  }
}

/// The value below which a share of the sorted ones lies.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - static_cast<double>(below));
}

/// The figures of all resamples.
struct Resampled {
  std::vector<double> accuracy, balanced_accuracy, macro_f1, kappa, matthews, loss, top5;

  void add(const ClassCounts& counts, double loss_sum, std::int64_t in_top5) {
    const auto samples = static_cast<double>(counts.samples);
    accuracy.push_back(accuracy_of(counts));
    balanced_accuracy.push_back(balanced_accuracy_of(counts));
    macro_f1.push_back(macro_of(counts, f1_of));
    if (const auto value = kappa_of(counts)) kappa.push_back(*value);
    matthews.push_back(matthews_of(counts));
    loss.push_back(loss_sum / samples);
    top5.push_back(static_cast<double>(in_top5) / samples);
  }
};

}  // namespace

ConfidenceInterval percentile_interval(std::vector<double> values, double level) {
  std::ranges::sort(values);
  return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

std::optional<MetricIntervals> bootstrap(const JudgedSamples& samples, const BootstrapSettings& settings) {
  if (settings.resamples == 0) return std::nullopt;
  Resampled all;
  for (std::int64_t r = 0; r < settings.resamples; ++r) {
    ClassCounts counts(samples.classes);
    double loss = 0;
    std::int64_t in_top5 = 0;
    draw_places(settings, r, samples.predictions.size(), [&](std::size_t place) {
      const Prediction& drawn = samples.predictions[place];
      counts.add(drawn.label, drawn.predicted);
      loss += drawn.loss;
      in_top5 += drawn.rank < 5 ? 1 : 0;
    });
    all.add(counts, loss, in_top5);
  }
  const auto interval = [&](std::vector<double>& values) {
    return percentile_interval(std::move(values), settings.level);
  };
  MetricIntervals found;
  found.settings = settings;
  found.accuracy = interval(all.accuracy);
  found.balanced_accuracy = interval(all.balanced_accuracy);
  found.macro_f1 = interval(all.macro_f1);
  found.matthews = interval(all.matthews);
  if (!all.kappa.empty()) found.kappa = interval(all.kappa);
  if (!samples.scored()) return found;
  found.loss = interval(all.loss);
  found.top5 = interval(all.top5);
  return found;
}

ConfidenceInterval bootstrap_mean(std::span<const double> values, const BootstrapSettings& settings) {
  std::vector<double> means;
  for (std::int64_t r = 0; r < settings.resamples; ++r) {
    double sum = 0;
    draw_places(settings, r, values.size(), [&](std::size_t place) { sum += values[place]; });
    means.push_back(sum / static_cast<double>(values.size()));
  }
  return percentile_interval(std::move(means), settings.level);
}

}  // namespace lockstep
