// How good a set of predictions is: scikit-learn's definitions, computed once over all samples in the order of their
// ids.
//
// Pure functions of the predictions, so the result is the same to the last digit for any number of ranks. Counts are
// integers; sums are doubles added in id order. Zero divisions count as 0, as scikit-learn's zero_division=0; a figure
// that is not defined is nothing, never a NaN. compute_metrics() and rank_classes() are what a training judges its
// epochs by; full_metrics.hpp computes the rest. Thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/evaluate/bootstrap.hpp"
#include "lockstep/evaluate/calibration.hpp"
#include "lockstep/evaluate/judged_samples.hpp"
#include "lockstep/evaluate/ranking.hpp"

namespace lockstep {

struct ClassMetrics {
  std::int64_t support = 0;  ///< samples of this class
  double precision = 0, recall = 0, f1 = 0;
  std::optional<double> auc;                ///< against the rest; nothing where it or the rest has no sample
  std::optional<double> average_precision;  ///< nothing where it has no sample
};

struct Averages {
  double precision = 0, recall = 0, f1 = 0;
  std::optional<double> auc, average_precision;
};

struct ClassCurves {
  Curve roc, precision_recall;
};

/// What one temperature makes of the probabilities. Accuracy, and all that needs no probabilities, stays.
struct Rescaled {
  std::string fitted_on;         ///< the split, as metrics.json calls it
  std::int64_t fit_samples = 0;  ///< of that split
  TemperatureFit fit;
  double loss = 0, log_loss = 0;  ///< with it; these and the next where there is one
  Calibration calibration;
};

struct Metrics {
  std::int64_t samples = 0;
  bool scored = true;   ///< whether there were scores; without, all that needs them says nothing
  double loss = 0;      ///< mean over samples
  double log_loss = 0;  ///< the same with probabilities kept 2.2e-16 away from 0 and 1, as scikit-learn's log_loss
  double accuracy = 0;  ///< top-1
  double top5 = 0;
  double balanced_accuracy = 0;
  std::optional<double> kappa;
  double matthews = 0;
  Averages macro;     ///< mean over classes that occur as label or prediction; areas: over classes that have them
  Averages weighted;  ///< the same weighted by the samples of each class
  Averages micro;     ///< of all decisions alike; areas: of all pairs of sample and class as one ranking
  std::vector<ClassMetrics> classes;                 ///< [class]
  std::vector<std::vector<std::int64_t>> confusion;  ///< [label][predicted]

  bool ranked = false;  ///< whether areas of classes were computed
  // From here on what full_metrics() adds.
  std::vector<ClassCurves> curves;  ///< [class]; thinned
  ClassCurves micro_curves;
  Curve macro_roc;                  ///< the mean of the whole curves of the classes
  std::optional<Calibration> calibration;
  std::optional<Rescaled> rescaled;
  std::optional<MetricIntervals> intervals;
  std::vector<std::string> notes;  ///< what is not defined here and why

  /// The value a run is judged by, larger is better: the loss comes with its sign changed. 0 where it is not defined.
  double score(Metric metric) const;
};

/// `predictions` in the order of ids, at least one. `scored`: they come from finite scores, not from labels alone.
Metrics compute_metrics(std::span<const Prediction> predictions, std::int64_t classes, bool scored = true);

/// The loss of a sample as log_loss counts it.
double clipped_loss(double loss);

/// Areas under the curves of each class against the rest, and their macro and weighted means. `samples`: scored. With
/// `most_points` curves too, of so many points.
void rank_classes(Metrics& metrics, const JudgedSamples& samples, std::int64_t most_points = 0);

}  // namespace lockstep
