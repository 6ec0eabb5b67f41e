// N ranks as threads of one process, for tests of everything that is written against Communicator.
//
// A hub is where the ranks meet; each thread takes its own communicator from it. Operations do not block when posted:
// the last rank to arrive executes them, in rank order, so results never depend on timing. Ranks that call different
// things all get an Error that names both. Mind that LibTorch's random generator is one per process.
#pragma once
#include <memory>

#include "lockstep/comm/communicator.hpp"

namespace lockstep {

struct ThreadHubState;

class ThreadHub {
 public:
  explicit ThreadHub(int ranks, Seconds deadline = Communicator::default_deadline);

  /// The communicator of `rank`, to be taken once per rank; may outlive the hub. Thread-safe.
  std::unique_ptr<Communicator> communicator(int rank);

 private:
  std::shared_ptr<ThreadHubState> state_;
};

}  // namespace lockstep
