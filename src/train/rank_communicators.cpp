#include "lockstep/train/rank_communicators.hpp"

#include "lockstep/comm/mpi.hpp"

namespace lockstep {

RankCommunicators make_rank_communicators(const World& world, Seconds deadline, Accelerator* accelerator) {
  if (accelerator != nullptr) {
    RankCommunicators channels;
    channels.control = make_communicator(world, Progress::caller, deadline);
    channels.gradients = accelerator->make_communicator(*channels.control, deadline);
    channels.statistics = channels.gradients;
    return channels;
  }
  return {make_communicator(world, Progress::caller, deadline), make_communicator(world, Progress::thread, deadline),
          make_communicator(world, Progress::caller, deadline)};
}

RankCommunicators split_rank_communicators(Communicator& base) {
  const auto channel = [&base] { return base.split(0, base.rank()); };
  RankCommunicators channels;
  channels.control = channel();
  channels.gradients = channel();
  channels.statistics = channel();
  return channels;
}

}  // namespace lockstep
