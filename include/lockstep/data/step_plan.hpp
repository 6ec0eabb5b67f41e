// Which places of an epoch's order are trained on in which step by which rank: pure functions of (samples, global
// batch, granularity, rank, ranks).
//
// Every place belongs to one step and one rank; all ranks have the same number of steps; what makes a global batch does
// not depend on the number of ranks. O(1) in time and memory. Thread-safe: a value.
#pragma once
#include <cstdint>
#include <vector>

namespace lockstep {

/// A half-open range of places in the epoch's order.
struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

/// How the places of an epoch fall into steps, groups and ranks.
class StepPlan {
 public:
  /// `samples` >= 1, `global_batch` >= 1; `granularity`: samples that must stay together on one rank (1: any cut).
  StepPlan(std::int64_t samples, std::int64_t global_batch, std::int64_t granularity);

  /// Steps of an epoch: the last one may be short; a last one of a single sample is joined to the step before, since
  /// batch norm has no statistics of one value.
  std::int64_t steps() const { return steps_; }
  /// Places of step `step` over all ranks.
  Range step(std::int64_t step) const;
  /// Sizes of the groups of a step, in order: `granularity` samples each, the remainder with the last one.
  std::vector<std::int64_t> groups(std::int64_t step) const;
  /// Places of one rank in a step: whole groups, contiguous, sizes as equal as groups allow, maybe none.
  Range rank_part(std::int64_t step, int rank, int ranks) const;
  /// Sizes of the groups inside rank_part().
  std::vector<std::int64_t> rank_groups(std::int64_t step, int rank, int ranks) const;

 private:
  Range group_range(std::int64_t step, int rank, int ranks) const;

  std::int64_t samples_, global_batch_, granularity_, steps_;
};

}  // namespace lockstep
