// Where a run stands between two steps: all that a resume needs beside tensors, as one value.
//
// Batches, augmentation, dropout and the learning rate are functions of (seed, epoch, step, sample), so a position is
// all it takes to go on with them: on any number of ranks, with the same bits on the same number. Written by rank 0,
// read by rank 0 and broadcast. A value. Errors: text that is not such a state, or of another format version.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/optim/patience.hpp"

namespace lockstep {

/// Sums over the steps of an epoch made so far; the seconds are rank 0's.
struct EpochSums {
  double loss_sum = 0;  ///< Σ mean loss · samples
  std::int64_t samples = 0, correct = 0, steps = 0;
  double exposed_seconds = 0;  ///< exchange that backward did not hide
  double waited_seconds = 0;   ///< for the loader
  double seconds = 0;          ///< of the steps alone
};

struct TrainState {
  static constexpr int format_version = 3;         ///< what is written
  static constexpr int oldest_readable_version = 2;  ///< knows no early stopping, plateau or mean of weights

  std::int64_t epoch = 0;  ///< the one being trained, from 0
  std::int64_t step = 0;   ///< steps of this epoch made; as many as it has: only its end is still to be done
  std::int64_t steps = 0;  ///< steps of the run made
  EpochSums sums;          ///< of this epoch
  /// [trained parameter] → steps that its moments have seen: fewer than `steps` where it began to train later.
  std::map<std::string, std::int64_t> optimiser_steps;
  std::int64_t judged_steps = 0;     ///< `steps` when the model was judged last
  std::optional<double> best_score;  ///< larger is better; none: nothing judged yet
  std::int64_t best_epoch = 0;       ///< from 1
  Patience early_stopping, plateau;  ///< what each has waited
  std::int64_t plateaus = 0;         ///< how often the learning rate fell because the score had stopped to improve
  std::int64_t averaged = 0;         ///< weights in the mean of SWA
  std::int64_t ranks = 0;            ///< that made it; more or fewer may go on
  std::string data_digest;           ///< Manifest::digest()

  std::string to_json() const;
  /// `where` is named in errors.
  static TrainState from_json(std::string_view text, const std::string& where);
};

}  // namespace lockstep
