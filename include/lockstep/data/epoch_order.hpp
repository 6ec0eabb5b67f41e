// The order of an epoch: which sample stands at which place, as a pure function of (seed, epoch).
//
// Three kinds, the same on every rank:
//   full      a uniformly random permutation: every sample exactly once
//   window    blocks of neighbouring samples in random order, then a shuffle inside windows of that sequence, so that
//             storage is read in large pieces: every sample exactly once
//   weighted  as many places as samples; a sample of weight w of a sum W occurs n·w/W times, rounded down or up at
//             random (systematic resampling: the expectation is exact, the variance the smallest there is)
// Time O(n) (weighted by class: O(n log n)) an epoch, memory 8 bytes a sample, 12 where samples may repeat.
// Thread-safe: pure functions.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/data/step_plan.hpp"

namespace lockstep {

struct EpochOrder {
  std::vector<std::int64_t> positions;  ///< [place]
  /// [place] how often the sample stood at an earlier place of the epoch; empty: never. Part of what its augmentation
  /// is drawn from, so that a repeated sample does not look the same twice.
  std::vector<std::int32_t> copies;

  std::int32_t copy(std::int64_t place) const { return copies.empty() ? 0 : copies[static_cast<std::size_t>(place)]; }
};

/// Fisher and Yates, with draws named by (seed, epoch).
EpochOrder full_order(std::int64_t samples, std::uint64_t seed, std::int64_t epoch);

/// Window shuffle. `blocks`: neighbouring samples each, all samples between them; a window is the fewest blocks with at
/// least `window` samples. Inside a step of `plan` the places follow the sequence of blocks, so that a rank's part of
/// every step comes from about the same part of the window, whatever the number of ranks; but runs of places that span
/// some eight blocks are shuffled once more, since neighbours in a batch may be mixed or share a batch-norm group, and
/// neighbours in a block are often of one class.
EpochOrder window_order(std::span<const Range> blocks, std::int64_t window, const StepPlan& plan, std::uint64_t seed,
                        std::int64_t epoch);

/// `weights`: [position], finite, >= 0, not all 0. `strata`: [position] or empty; the places of each stratum are its
/// share of the weights up to one place.
EpochOrder weighted_order(std::span<const double> weights, std::span<const std::int32_t> strata, std::uint64_t seed,
                          std::int64_t epoch);

/// Weights that make all classes equally frequent: 1 / samples of the class. `labels` >= 0.
std::vector<double> balancing_weights(std::span<const std::int32_t> labels);

}  // namespace lockstep
