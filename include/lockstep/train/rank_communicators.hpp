// The channels a rank of a training run speaks on: three, because their operations interleave differently.
//
//   control     decisions and results, in the order of the loop; always on the CPU
//   gradients   buckets, moved while backward computes: by a thread of its own, on a GPU by a stream of its own
//   statistics  batch norm's sums, in the middle of forward and backward, between the buckets
//
// On GPUs, gradients and statistics are one channel. Two NCCL communicators in use at once may block each other for
// good: the GPU of one rank runs the sum of a bucket and waits for that of another, which runs a sum of statistics and
// waits for the first. The safe ways, one communicator or two ordered by events, cost the same. In one, all ranks must
// post in one order, and they do: a single thread of LibTorch's runs the backward of a GPU, in an order that follows
// from the graph, which is the same on all ranks (one without samples runs it too).
#pragma once
#include <memory>

#include "lockstep/comm/accelerator.hpp"
#include "lockstep/comm/communicator.hpp"
#include "lockstep/comm/world.hpp"

namespace lockstep {

struct RankCommunicators {
  std::unique_ptr<Communicator> control;
  std::shared_ptr<Communicator> gradients, statistics;
};

/// Serial for a world of one process without MPI, else MPI; with an accelerator NCCL for what lies on it. Every rank
/// calls it.
RankCommunicators make_rank_communicators(const World& world, Seconds deadline, Accelerator* accelerator = nullptr);

/// Three channels over the ranks of `base`, for ranks that are threads. Every rank calls it.
RankCommunicators split_rank_communicators(Communicator& base);

}  // namespace lockstep
