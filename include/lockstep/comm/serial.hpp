// The communicator of a run of one rank: every operation is done when it returns, at the cost of a copy at most.
//
// No MPI, no threads. abort() makes every later operation throw. Errors otherwise as Communicator says.
#pragma once
#include <memory>

#include "lockstep/comm/communicator.hpp"

namespace lockstep {

std::unique_ptr<Communicator> make_serial_communicator();

}  // namespace lockstep
