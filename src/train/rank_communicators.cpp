#include "lockstep/train/rank_communicators.hpp"

#include "lockstep/comm/mpi.hpp"

namespace lockstep {

RankCommunicators make_rank_communicators(const World& world, Seconds deadline) {
  return {make_communicator(world, Progress::caller, deadline), make_communicator(world, Progress::thread, deadline),
          make_communicator(world, Progress::caller, deadline)};
}

RankCommunicators split_rank_communicators(std::unique_ptr<Communicator> base) {
  RankCommunicators channels;
  channels.gradients = base->split(0, base->rank());
  channels.statistics = base->split(0, base->rank());
  channels.control = std::move(base);
  return channels;
}

}  // namespace lockstep
