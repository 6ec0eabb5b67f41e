// What every batch of a run holds, for any rank of any number of ranks, from any step on.
//
// A pure function of (samples, labels, weights, config, seed): ranks share the work, they do not change it. Order of an
// epoch: epoch_order.hpp; steps and ranks' parts: step_plan.hpp. Where samples are mixed, places 2k and 2k + 1 of a
// step are partners, the last place of an odd step has none; a pair that falls on two ranks is made known to both.
// Memory: a rank's copy of the epoch's order, 8 bytes a sample (12 where samples repeat), and 12 more for weighted
// sampling. Errors: weights that the data set does not have or that add up to nothing; samples without label, for balancing.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/epoch_order.hpp"
#include "lockstep/data/step_plan.hpp"

namespace lockstep {

/// A sample at a place of an epoch.
struct SampleUse {
  std::int64_t position = 0;
  std::int32_t copy = 0;
  bool operator==(const SampleUse&) const = default;
};

struct BatchRequest {
  std::int64_t epoch = 0, step = 0;
  std::vector<std::int64_t> positions;  ///< of the split, in batch order; may be empty
  std::vector<std::int32_t> copies;     ///< [batch], or empty: all 0
  bool mixed = false;                   ///< neighbours are partners
  /// Partners of the first and of the last sample where they belong to other ranks. With `before`, pairs begin at the
  /// second sample.
  std::optional<SampleUse> before, after;

  std::int32_t copy(std::size_t sample) const { return copies.empty() ? 0 : copies[sample]; }
};

class BatchPlan {
 public:
  /// `split` must outlive it. `batch`: samples of a step over all ranks; `granularity`: see StepPlan.
  BatchPlan(const DataSplit& split, const LoaderConfig& config, std::int64_t batch, std::int64_t granularity,
            std::uint64_t seed);

  const StepPlan& steps() const { return steps_; }
  EpochOrder order(std::int64_t epoch) const;
  /// A rank's part of a step, given its epoch's order.
  BatchRequest request(const EpochOrder& order, std::int64_t epoch, std::int64_t step, int rank, int ranks) const;
  /// Positions that a rank reads in an epoch from `step` on, in the order of requests.
  std::vector<std::int64_t> positions_read(const EpochOrder& order, std::int64_t step, int rank, int ranks) const;

  /// Of the window shuffle; empty without.
  const std::vector<Range>& blocks() const { return blocks_; }
  /// Bytes that a rank of `ranks` should read ahead: its part of two windows.
  std::size_t bytes_ahead(int ranks) const;

 private:
  const DataSplit& split_;
  Sampling sampling_;
  std::int64_t window_;
  bool mixes_;
  std::uint64_t seed_;
  StepPlan steps_;
  std::vector<Range> blocks_;
  std::vector<std::int32_t> labels_;  // [position], for balanced sampling
  std::vector<double> weights_;       // [position], unless sampling is uniform
};

}  // namespace lockstep
