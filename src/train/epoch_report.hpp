// What an epoch has brought so far, and how it is said: the live line, the plain line, the line of log.jsonl.
#pragma once
#include <algorithm>
#include <optional>
#include <string>

#include "lockstep/checkpoint/train_state.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/evaluate/evaluator.hpp"
#include "lockstep/record/json_log.hpp"
#include "lockstep/train/training_step.hpp"

namespace lockstep {

/// The sums of an epoch (or of a stretch of it) with the clock that fills their seconds.
class EpochTally : public EpochSums {
 public:
  EpochTally() = default;
  /// Goes on from what was made before.
  explicit EpochTally(const EpochSums& before) : EpochSums(before), before_(before.seconds) {}

  void add(const StepResult& result);
  /// The steps so far are over: what comes until resume_clock() (judging, saving) is not training time.
  void stop_clock();
  void resume_clock();
  double elapsed() const { return std::max(1e-9, running_ ? before_ + watch_.seconds() : seconds); }
  double loss() const { return samples == 0 ? 0 : loss_sum / static_cast<double>(samples); }
  double accuracy() const { return samples == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(samples); }
  /// Over all ranks, the wait for data included.
  double images_per_second() const { return static_cast<double>(samples) / elapsed(); }
  double wait_share() const { return waited_seconds / elapsed(); }

 private:
  Stopwatch watch_;
  double before_ = 0;
  bool running_ = true;
};

struct EpochPlace {
  std::int64_t epoch, epochs;  ///< epoch counted from 1
  std::int64_t step, steps;    ///< of the epoch, counted from 1
};

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

std::string live_line(const EpochPlace& place, const EpochTally& progress, double seconds_left);
std::string epoch_line(const EpochPlace& place, const EpochTally& progress, const std::optional<Metrics>& judged,
                       bool best, double seconds_left);
/// `gradient_norm`: of the newest step, where it is known.
LogFields step_fields(const EpochPlace& place, std::int64_t step, const EpochTally& progress, double lr,
                      const std::optional<double>& gradient_norm = std::nullopt);
/// A judgement within an epoch.
std::string judged_line(const EpochPlace& place, const Metrics& judged, bool best);
LogFields judged_fields(const EpochPlace& place, std::int64_t step, const Evaluation& judged, bool best);
LogFields epoch_fields(const EpochPlace& place, std::int64_t step, const EpochTally& progress,
                       const std::optional<Evaluation>& judged, double lr, bool best);

}  // namespace lockstep
