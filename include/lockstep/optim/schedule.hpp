// The learning rate as a pure function of the step, so that a resume needs no state of it (plateau: and of how often
// the score has stopped to improve).
//
//   warm-up   lr · (s + 1) / W in the first W steps, linear (Goyal et al., 2017)
//   constant  lr
//   step      lr · γ^k, k: how many of the given epochs have passed; one number: every so many epochs
//   cosine    min + (lr − min) · (1 + cos(π · (s − W) / (T − W))) / 2, T: steps of the run (Loshchilov and Hutter,
//             2017)
//   polynomial  min + (lr − min) · (1 − (s − W) / (T − W))^q
//   one-cycle   from lr / 25 up to lr, then down to lr / 250,000, along half cosines (Smith and Topin, 2018; torch's
//               OneCycleLR with anneal_strategy "cos", of two phases, without the momentum's cycle)
//   plateau     lr · γ^k, not below min (or lr, if that is less), k: how often the judgements have stopped to improve
//               (patience.hpp), which the training loop counts
//
// s counts the steps of the run from 0. The same on every rank. A value; thread-safe. Errors: a warm-up that does not
// end before the run.
#pragma once
#include <cstdint>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

class Schedule {
 public:
  /// `lr`: the rate after the warm-up; `steps_per_epoch`, `steps` (of the whole run) >= 1.
  Schedule(const ScheduleConfig& config, double lr, std::int64_t steps_per_epoch, std::int64_t steps);

  /// The rate with which step `step` is made. `plateaus`: how often the score had stopped to improve before.
  double lr(std::int64_t step, std::int64_t plateaus = 0) const;
  /// Whether the rate still rises to where the schedule begins.
  bool warms_up(std::int64_t step) const { return step < warmup_steps_; }

 private:
  double decayed(std::int64_t step, std::int64_t plateaus) const;
  double one_cycle(std::int64_t step) const;

  ScheduleConfig config_;
  double lr_;
  std::int64_t steps_per_epoch_, steps_, warmup_steps_;
};

}  // namespace lockstep
