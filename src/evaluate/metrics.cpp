#include "lockstep/evaluate/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/class_counts.hpp"

namespace lockstep {
namespace {

void set_class_figures(Metrics& metrics, const ClassCounts& counts) {
  for (std::size_t c = 0; c < counts.classes(); ++c) {
    metrics.classes.push_back(
        {counts.labels[c], precision_of(counts, c), recall_of(counts, c), f1_of(counts, c), {}, {}});
  }
  metrics.accuracy = accuracy_of(counts);
  metrics.balanced_accuracy = balanced_accuracy_of(counts);
  metrics.kappa = kappa_of(counts);
  metrics.matthews = matthews_of(counts);
  metrics.macro = {macro_of(counts, precision_of), macro_of(counts, recall_of), macro_of(counts, f1_of), {}, {}};
  metrics.weighted = {
      weighted_of(counts, precision_of), weighted_of(counts, recall_of), weighted_of(counts, f1_of), {}, {}};
  metrics.micro = {metrics.accuracy, metrics.accuracy, metrics.accuracy, {}, {}};  // one label, one prediction each
}

/// Of neighbouring classes: their columns of the table are read in one go.
std::vector<Ranking> rankings_of_classes(const JudgedSamples& samples, std::size_t first, std::size_t count) {
  std::vector<std::vector<double>> positives(count), negatives(count);
  for (std::size_t i = 0; i < samples.predictions.size(); ++i) {
    const auto columns = samples.row(i).subspan(first, count);
    for (std::size_t c = 0; c < count; ++c) {
      const bool positive = std::cmp_equal(samples.predictions[i].label, first + c);
      (positive ? positives : negatives)[c].push_back(columns[c]);
    }
  }
  std::vector<Ranking> rankings;
  for (std::size_t c = 0; c < count; ++c) rankings.emplace_back(std::move(positives[c]), std::move(negatives[c]));
  return rankings;
}

/// Means of `area` over the classes that have it: plain, and weighted by their samples.
void set_means(Metrics& metrics, std::optional<double> ClassMetrics::*area, std::optional<double> Averages::*mean) {
  double sum = 0, weighted = 0, counted = 0, samples = 0;
  for (const ClassMetrics& of_class : metrics.classes) {
    const std::optional<double>& value = of_class.*area;
    if (!value) continue;
    const auto support = static_cast<double>(of_class.support);
    sum += *value;
    weighted += *value * support;
    ++counted;
    samples += support;
  }
  if (counted == 0) return;
  metrics.macro.*mean = sum / counted;
  metrics.weighted.*mean = weighted / samples;
}

}  // namespace

double Metrics::score(Metric metric) const {
  switch (metric) {
    case Metric::accuracy:
      return accuracy;
    case Metric::top5_accuracy:
      return top5;
    case Metric::balanced_accuracy:
      return balanced_accuracy;
    case Metric::macro_recall:
      return macro.recall;
    case Metric::macro_f1:
      return macro.f1;
    case Metric::kappa:
      return kappa.value_or(0.0);
    case Metric::mcc:
      return matthews;
    case Metric::auc:
      return macro.auc.value_or(0.0);
    case Metric::average_precision:
      return macro.average_precision.value_or(0.0);
    case Metric::loss:
      return -loss;
  }
  return 0;
}

double clipped_loss(double loss) {
  constexpr double least = std::numeric_limits<double>::epsilon();
  return std::clamp(loss, -std::log1p(-least), -std::log(least));
}

Metrics compute_metrics(std::span<const Prediction> predictions, std::int64_t classes, bool scored) {
  if (predictions.empty()) throw Error("no labelled sample to judge", "metrics", "choose a split that has labels");
  const auto n = static_cast<std::size_t>(classes);
  Metrics metrics;
  metrics.scored = scored;
  metrics.confusion.assign(n, std::vector<std::int64_t>(n));
  ClassCounts counts(classes);
  std::int64_t top5 = 0;
  for (const Prediction& p : predictions) {
    metrics.loss += p.loss;
    metrics.log_loss += clipped_loss(p.loss);
    top5 += p.rank < 5 ? 1 : 0;
    counts.add(p.label, p.predicted);
    ++metrics.confusion[static_cast<std::size_t>(p.label)][static_cast<std::size_t>(p.predicted)];
  }
  metrics.samples = counts.samples;
  const auto samples = static_cast<double>(metrics.samples);
  metrics.loss /= samples;
  metrics.log_loss /= samples;
  metrics.top5 = static_cast<double>(top5) / samples;
  set_class_figures(metrics, counts);
  return metrics;
}

void rank_classes(Metrics& metrics, const JudgedSamples& samples, std::int64_t most_points) {
  metrics.ranked = true;
  MeanRoc mean;
  constexpr std::size_t at_once = 8;  // doubles of a cache line
  const std::size_t classes = metrics.classes.size();
  for (std::size_t first = 0; first < classes; first += at_once) {
    std::size_t c = first;
    for (const Ranking& ranking : rankings_of_classes(samples, first, std::min(at_once, classes - first))) {
      ClassMetrics& of_class = metrics.classes[c++];
      of_class.auc = ranking.auc();
      of_class.average_precision = ranking.average_precision();
      if (most_points == 0) continue;
      const Curve roc = ranking.roc();
      if (of_class.auc) mean.add(roc);
      metrics.curves.push_back({thinned(roc, most_points), ranking.precision_recall(most_points)});
    }
  }
  metrics.macro_roc = mean.curve();
  set_means(metrics, &ClassMetrics::auc, &Averages::auc);
  set_means(metrics, &ClassMetrics::average_precision, &Averages::average_precision);
}

}  // namespace lockstep
