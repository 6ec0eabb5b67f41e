// The learning rate as a pure function of the step, so that a resume needs no state of it.
//
//   warm-up   lr · (s + 1) / W in the first W steps, linear (Goyal et al., 2017)
//   constant  lr
//   step      lr · γ^k, k: how many of the given epochs have passed; one number: every so many epochs
//   cosine    min + (lr − min) · (1 + cos(π · (s − W) / (T − W))) / 2, T: steps of the run (Loshchilov and Hutter,
//   2017)
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

  /// The rate with which step `step` is made.
  double lr(std::int64_t step) const;

 private:
  double decayed(std::int64_t step) const;

  ScheduleConfig config_;
  double lr_;
  std::int64_t steps_per_epoch_, steps_, warmup_steps_;
};

}  // namespace lockstep
