// What a forward pass needs to know beyond the images: where the batch stands in the run, and how to reach the other
// ranks.
//
// The model knows no ranks: where its batch norm needs sums over the global batch it calls `sum_over_ranks`, which the
// training step fills with an exchange on a communicator of its own (a serial run fills it with nothing to do).
// Owned by the training step; the spans must stay valid until backward has ended, since backward exchanges too.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace lockstep {

/// Replaces a dense float64 tensor by its sum over the ranks; every rank calls it in the same order.
using SumOverRanks = std::function<void(at::Tensor&)>;

struct BatchContext {
  bool training = false;  ///< false: running statistics, no dropout; nothing below is looked at
  std::uint64_t seed = 0;
  std::int64_t step = 0;             ///< since the start of the run, over all epochs
  std::vector<std::int64_t> ids;     ///< [n] sample ids, in batch order
  std::vector<std::int64_t> groups;  ///< sizes of this rank's batch-norm groups; they add up to n
  std::int64_t global_samples = 0;   ///< of the step, over all ranks
  std::int64_t ranks = 1;
  SumOverRanks sum_over_ranks;
  /// Where a network with an auxiliary head (Model::heads) puts that head's scores, float32 [n, classes], in training;
  /// nothing is put where neither the head nor what is before it is trained. Null: the head is left out.
  at::Tensor* auxiliary_logits = nullptr;
};

}  // namespace lockstep
