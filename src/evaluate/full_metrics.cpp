#include "lockstep/evaluate/full_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t fewest_points = 16;

std::int64_t points_of_class(std::int64_t classes) {
  return std::clamp(curve_points * 128 / classes, fewest_points, curve_points);
}

void add_micro(Metrics& metrics, const JudgedSamples& samples) {
  const std::size_t count = samples.predictions.size();
  std::vector<double> positives, negatives;
  positives.reserve(count);
  negatives.reserve(samples.probabilities.size() - count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const double> row = samples.row(i);
    for (std::size_t c = 0; c < row.size(); ++c)
      (std::cmp_equal(samples.predictions[i].label, c) ? positives : negatives).push_back(row[c]);
  }
  const Ranking ranking(std::move(positives), std::move(negatives));
  metrics.micro.auc = ranking.auc();
  metrics.micro.average_precision = ranking.average_precision();
  metrics.micro_curves = {ranking.roc(curve_points), ranking.precision_recall(curve_points)};
}

std::vector<std::string> names_where(const Metrics& metrics, const std::vector<std::string>& class_names,
                                     const std::vector<std::int64_t>& counts) {
  std::vector<std::string> names;
  for (std::size_t c = 0; c < metrics.classes.size(); ++c) {
    if (counts[c] == 0) names.push_back("'" + class_names[c] + "'");
  }
  return names;
}

void add_notes(Metrics& metrics, const std::vector<std::string>& class_names) {
  std::vector<std::int64_t> labels, predicted(metrics.classes.size());
  for (const ClassMetrics& of_class : metrics.classes) labels.push_back(of_class.support);
  for (const auto& row : metrics.confusion) {
    for (std::size_t c = 0; c < row.size(); ++c) predicted[c] += row[c];
  }
  const auto absent = names_where(metrics, class_names, labels), unseen = names_where(metrics, class_names, predicted);
  const auto note = [&](std::string text) { metrics.notes.push_back(std::move(text)); };
  if (!absent.empty())
    note(fmt::format("{} of the {} classes without a sample ({}): balanced accuracy{} leave such classes out",
                     absent.size(), labels.size(), first_of(absent),
                     metrics.scored ? " and the means of areas, which they do not have," : " and weighted means"));
  if (!unseen.empty())
    note(fmt::format("{} of the {} classes never predicted ({}): their precision and F1 count as 0", unseen.size(),
                     labels.size(), first_of(unseen)));
  if (metrics.scored && !metrics.macro.auc) note("all samples are of one class: there is no ROC curve and no AUC");
  if (!metrics.kappa) note("Cohen's kappa is undefined: all samples and all predictions are of one class");
}

}  // namespace

Metrics full_metrics(const JudgedSamples& samples, const std::vector<std::string>& class_names,
                     const MetricSettings& settings) {
  Metrics metrics = compute_metrics(samples.predictions, samples.classes, samples.scored());
  metrics.intervals = bootstrap(samples, settings.bootstrap);
  if (samples.scored()) {
    rank_classes(metrics, samples, points_of_class(samples.classes));
    if (std::ssize(samples.probabilities) <= most_ranked)
      add_micro(metrics, samples);
    else
      metrics.notes.push_back(
          fmt::format("the micro averages of areas are left out: {} pairs of sample and class are too many",
                      samples.probabilities.size()));
    metrics.calibration = calibration_of(samples, settings.bins);
  }
  add_notes(metrics, class_names);
  return metrics;
}

Rescaled rescale(const JudgedSamples& samples, std::span<const double> scores, const std::string& fitted_on,
                 std::span<const double> fit_scores, std::span<const std::int64_t> fit_labels, std::int64_t bins) {
  Rescaled result;
  result.fitted_on = fitted_on;
  result.fit_samples = std::ssize(fit_labels);
  result.fit = fit_temperature(fit_scores, fit_labels);
  if (!result.fit.temperature) return result;
  std::vector<double> scaled(scores.begin(), scores.end());
  for (double& score : scaled) score /= *result.fit.temperature;
  std::vector<Prediction> predictions;
  const auto width = static_cast<std::size_t>(samples.classes);
  for (std::size_t i = 0; i < samples.predictions.size(); ++i) {
    const Prediction& before = samples.predictions[i];
    predictions.push_back(
        predict(std::span<const double>(scaled).subspan(i * width, width), before.id, before.label, before.predicted));
    result.loss += predictions.back().loss;
    result.log_loss += clipped_loss(predictions.back().loss);
  }
  result.loss /= static_cast<double>(predictions.size());
  result.log_loss /= static_cast<double>(predictions.size());
  result.calibration = calibration_of(judged_samples(std::move(predictions), scaled, samples.classes), bins);
  return result;
}

}  // namespace lockstep
