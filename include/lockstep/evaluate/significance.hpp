// Whether of two classifiers on the same samples one is better by more than chance.
//
// McNemar's test (McNemar, 1947) looks only at samples of which one was right and the other wrong. Of fewer than 25 the
// p-value is the exact binomial one, both sides: 2 · P(X <= the smaller count), at most 1, X from (n, 1/2); else it is
// that of χ² with one degree of freedom, (|b − c| − 1)² / (b + c), with Edwards' correction for continuity (1948). The
// difference of accuracies has an interval from the paired bootstrap (bootstrap.hpp): both on the same resamples. Pure
// functions; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "lockstep/evaluate/bootstrap.hpp"

namespace lockstep {

struct McNemar {
  std::int64_t only_first = 0, only_second = 0;  ///< samples of which only one was right
  bool exact = true;
  double statistic = 0;  ///< χ²; 0 where exact
  double p = 1;
};

McNemar mcnemar(std::int64_t only_first, std::int64_t only_second);

struct PairedComparison {
  std::int64_t samples = 0;
  double accuracy = 0, other_accuracy = 0;
  std::int64_t both_right = 0, both_wrong = 0;
  McNemar test;                                  ///< first: ours, second: the other
  std::optional<ConfidenceInterval> difference;  ///< of accuracy − other_accuracy; nothing without resamples
};

/// `ours` and `other`: of the same samples in the same order.
PairedComparison compare_paired(const JudgedSamples& ours, const JudgedSamples& other,
                                const BootstrapSettings& settings);

/// Three lines for a person. `other`: how the other is called.
std::string format_comparison(const PairedComparison& comparison, const std::string& other);

}  // namespace lockstep
