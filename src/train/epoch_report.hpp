// What an epoch has brought so far, and how it is said: the live line, the plain line, the line of log.jsonl.
#pragma once
#include <algorithm>
#include <optional>
#include <string>

#include "lockstep/core/stopwatch.hpp"
#include "lockstep/evaluate/evaluator.hpp"
#include "lockstep/record/json_log.hpp"
#include "lockstep/train/training_step.hpp"

namespace lockstep {

/// Sums over the steps of an epoch (or of a stretch of it).
struct EpochTally {
  double loss_sum = 0;  ///< Σ mean loss · samples
  std::int64_t samples = 0, correct = 0, steps = 0;
  double exposed_seconds = 0;  ///< exchange that backward did not hide, on this rank
  double waited_seconds = 0;   ///< for the loader, on this rank
  Stopwatch watch;
  double seconds = 0;  ///< of the steps alone, set by stop(); until then the watch runs

  void add(const StepResult& result);
  /// The steps are over: what comes now (evaluation, saving) is not training time.
  void stop() { seconds = watch.seconds(); }
  double elapsed() const { return std::max(1e-9, seconds > 0 ? seconds : watch.seconds()); }
  double loss() const { return samples == 0 ? 0 : loss_sum / static_cast<double>(samples); }
  double accuracy() const { return samples == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(samples); }
  /// Over all ranks, the wait for data included.
  double images_per_second() const { return static_cast<double>(samples) / elapsed(); }
  double wait_share() const { return waited_seconds / elapsed(); }
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
LogFields step_fields(const EpochPlace& place, std::int64_t step, const EpochTally& progress, double lr);
LogFields epoch_fields(const EpochPlace& place, std::int64_t step, const EpochTally& progress,
                       const std::optional<Evaluation>& judged, double lr, bool best);

}  // namespace lockstep
