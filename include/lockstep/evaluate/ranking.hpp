// Samples in the order of a score, positives against negatives: the ROC curve, the precision–recall curve, and the
// areas under them, with scikit-learn's definitions.
//
// Equal scores are one step. AUC (roc_auc_score) is the sum of the curve's trapezoids, counted in integers and divided
// once. Average precision (average_precision_score) is the sum of Δrecall · precision, without interpolation. Neither
// depends on how a curve is thinned. O(samples · log samples) time; memory: 8 bytes a sample, and 24 a point of the
// curve that is returned. Scores are finite. Pure; thread-safe once made.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace lockstep {

/// Points of a curve by falling threshold: a sample counts as positive from the threshold on. The first point is that
/// of no sample at all, whose threshold is infinite.
struct Curve {
  std::vector<double> x, y, thresholds;
};

class Ranking {
 public:
  /// A point of a curve that is not thinned.
  static constexpr std::int64_t all = std::numeric_limits<std::int64_t>::max();

  /// The scores of both kinds, in any order.
  Ranking(std::vector<double> positives, std::vector<double> negatives);

  std::int64_t positives() const { return std::ssize(positives_); }
  std::int64_t negatives() const { return std::ssize(negatives_); }
  /// Nothing unless there are positives and negatives.
  std::optional<double> auc() const;
  /// Nothing unless there are positives.
  std::optional<double> average_precision() const;
  /// x: false-positive rate, y: true-positive rate, from (0, 0) to (1, 1). Points on a straight line between two others
  /// are left out; of more than `most` those are kept that lie about evenly along the curve. Empty unless there are
  /// positives and negatives.
  Curve roc(std::int64_t most = all) const;
  /// x: recall, y: precision, from (0, 1) to the first point of recall 1; thinned likewise. Empty unless there
  /// are positives.
  Curve precision_recall(std::int64_t most = all) const;

 private:
  std::vector<double> positives_, negatives_;  // falling
};

/// At most `most` points of a curve, as above.
Curve thinned(const Curve& curve, std::int64_t most);

/// The mean of ROC curves at false-positive rates 0, 1/100, … 1, each read from its line, at its upper end where it
/// rises straight up. They must be whole: a thinned curve runs below the exact one.
class MeanRoc {
 public:
  void add(const Curve& curve);
  /// Without thresholds; empty where nothing was added.
  Curve curve() const;

 private:
  static constexpr int points = 101;
  std::vector<double> heights_;  // [point], sums
  std::int64_t curves_ = 0;
};

}  // namespace lockstep
