// How good a set of predictions is: scikit-learn's definitions, computed once over all samples in the order of their
// ids.
//
// Pure functions of the predictions, so the result is the same to the last digit for any number of ranks. Counts are
// integers; sums are doubles added in id order. Zero divisions count as 0, as scikit-learn's zero_division=0.
// Time O(samples + classes²), AUC O(classes · samples · log samples). Thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

/// What the model said of one labelled sample.
struct Prediction {
  std::int64_t id = 0;
  std::int64_t label = 0;      ///< in [0, classes)
  std::int64_t predicted = 0;  ///< class of the largest score; the lowest of equals
  std::int64_t rank = 0;       ///< classes before the label: the predicted one, then by score and number; 0 is top-1
  double loss = 0;             ///< −log p(label), natural logarithm
};

struct ClassMetrics {
  std::int64_t support = 0;  ///< samples of this class
  double precision = 0, recall = 0, f1 = 0;
};

struct Metrics {
  std::int64_t samples = 0;
  bool scored = true;   ///< whether there were scores; without, loss and top5 say nothing
  double loss = 0;      ///< mean over samples
  double accuracy = 0;  ///< top-1
  double top5 = 0;
  double macro_precision = 0, macro_recall = 0, macro_f1 = 0;  ///< mean over classes that occur as label or prediction
  std::vector<ClassMetrics> classes;                           ///< [class]
  std::vector<std::vector<std::int64_t>> confusion;            ///< [label][predicted]
  std::optional<double> auc;                                   ///< macro one-vs-rest, where scores were given

  /// The value a run is judged by, larger is better: the loss comes with its sign changed.
  double score(Metric metric) const;
};

/// Scores of one sample to its prediction. `scores`: [classes] logits, or logarithms of probabilities. `winner`: the
/// predicted class where something else than the scores has decided.
Prediction predict(std::span<const float> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner = std::nullopt);
Prediction predict(std::span<const double> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner = std::nullopt);

/// `predictions` in the order of ids, at least one. `scored`: they come from finite scores, not from labels alone.
Metrics compute_metrics(std::span<const Prediction> predictions, std::int64_t classes, bool scored = true);

/// Area under the ROC curve, one class against the rest, averaged over the classes that have both kinds of samples;
/// nothing if there is none. `probabilities`: [samples · classes], finite; equal ones count half.
std::optional<double> macro_auc(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                std::int64_t classes);

/// What was judged.
struct Judged {
  std::string split;
  std::string weights;  ///< "best" or "last"
};

/// The content of metrics.json: one object per evaluated split. `before`: the file's content so far (may be empty), of
/// which other splits are kept. Doubles are written so that they read back exactly: equal metrics are equal bytes.
std::string metrics_json(const Metrics& metrics, const std::vector<std::string>& class_names, const Judged& judged,
                         std::string_view before = {});

/// The same metrics as one object, without the file around it.
std::string metrics_object(const Metrics& metrics, const std::vector<std::string>& class_names);

/// A table for a person.
std::string format_metrics(const Metrics& metrics, const std::vector<std::string>& class_names);

}  // namespace lockstep
