// How often each class was right, predicted, and hit, and the figures that need no more than that: scikit-learn's
// definitions, so that a resample of a million samples costs a pass over them and one over the classes.
//
// Counts are integers. Zero divisions count as 0, as scikit-learn's zero_division=0; what is not defined is nothing.
// Pure functions; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace lockstep {

struct ClassCounts {
  explicit ClassCounts(std::int64_t classes)
      : labels(static_cast<std::size_t>(classes)), predicted(labels.size()), hits(labels.size()) {}

  std::int64_t samples = 0, right = 0;
  std::vector<std::int64_t> labels, predicted, hits;  ///< [class]

  void add(std::int64_t label, std::int64_t prediction) {
    ++samples;
    ++labels[static_cast<std::size_t>(label)];
    ++predicted[static_cast<std::size_t>(prediction)];
    if (label != prediction) return;
    ++right;
    ++hits[static_cast<std::size_t>(label)];
  }
  std::size_t classes() const { return labels.size(); }
  /// Whether a class is among labels or predictions: macro means run over these.
  bool occurs(std::size_t c) const { return labels[c] + predicted[c] > 0; }
};

double precision_of(const ClassCounts& counts, std::size_t c);
double recall_of(const ClassCounts& counts, std::size_t c);
double f1_of(const ClassCounts& counts, std::size_t c);

/// Mean of `figure` over the classes that occur at all, as scikit-learn's macro when it is given no list of labels.
double macro_of(const ClassCounts& counts, double (*figure)(const ClassCounts&, std::size_t));
/// Mean weighted by the samples of each class.
double weighted_of(const ClassCounts& counts, double (*figure)(const ClassCounts&, std::size_t));

double accuracy_of(const ClassCounts& counts);
/// Mean recall over the classes that have samples (balanced_accuracy_score). Macro recall differs where a class without
/// a sample was predicted: it counts there, with recall 0.
double balanced_accuracy_of(const ClassCounts& counts);
/// Cohen (1960). Nothing where all samples are of one class and all predictions too: 0 / 0.
std::optional<double> kappa_of(const ClassCounts& counts);
/// Matthews' correlation for several classes (Gorodkin, 2004); 0 where one class alone is right or predicted.
double matthews_of(const ClassCounts& counts);

}  // namespace lockstep
