// How long a score has not improved: what early stopping and the plateau schedule count.
//
// As Keras and torch's ReduceLROnPlateau (threshold_mode "abs") count: an improvement is a score that exceeds the best
// one by more than `min_change`; smaller gains don't add up to one, since the best one stays. A value, kept in
// checkpoints. Every rank counts the same scores, so all decide alike without asking each other.
#pragma once
#include <cstdint>
#include <optional>

namespace lockstep {

struct Patience {
  std::optional<double> best;  ///< larger is better; none: nothing judged yet
  std::int64_t waited = 0;     ///< judgements since then

  /// Counts a judgement; whether it was an improvement.
  bool count(double score, double min_change) {
    if (best && !(score > *best + min_change)) {
      ++waited;
      return false;
    }
    best = score;
    waited = 0;
    return true;
  }
};

}  // namespace lockstep
