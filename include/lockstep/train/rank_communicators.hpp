// The channels a rank of a training run speaks on: three, because their operations interleave differently.
//
//   control     decisions and results, in the order of the loop
//   gradients   buckets, moved by a thread of its own while backward computes
//   statistics  batch norm's sums, in the middle of forward and backward, between the buckets
#pragma once
#include <memory>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/comm/world.hpp"

namespace lockstep {

struct RankCommunicators {
  std::unique_ptr<Communicator> control, gradients, statistics;
};

/// Serial for a world of one process without MPI, else MPI. Every rank calls it.
RankCommunicators make_rank_communicators(const World& world, Seconds deadline);

/// Three channels over the ranks of `base`, for ranks that are threads. Every rank calls it.
RankCommunicators split_rank_communicators(Communicator& base);

}  // namespace lockstep
