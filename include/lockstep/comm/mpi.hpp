// The communicator between processes: MPI's nonblocking collectives on a duplicate of MPI_COMM_WORLD.
//
// MPI moves bytes only inside calls. Progress::caller makes these calls in wait() and test() only: no thread, nothing
// hidden behind compute. Progress::thread has one thread ask for all operations under way, so that they go on while the
// caller computes; it sleeps while nothing is under way and steps back while a caller waits. Combines the five dtypes
// that every Communicator combines. World must outlive it. Errors carry MPI's own sentence.
#pragma once
#include <memory>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/comm/world.hpp"

namespace lockstep {

enum class Progress { caller, thread };

/// Every rank calls it. `largest_count`: numbers combined by one MPI call at most; MPI itself ends at 2^31−1, tests ask
/// for less. Errors: a world without MPI.
std::unique_ptr<Communicator> make_mpi_communicator(const World& world, Progress progress,
                                                    Seconds deadline = Communicator::kDefaultDeadline,
                                                    std::int64_t largest_count = std::int64_t{1} << 30);

/// The communicator a run uses: serial where there is no MPI, else MPI. Every rank calls it.
std::unique_ptr<Communicator> make_communicator(const World& world, Progress progress = Progress::thread,
                                                Seconds deadline = Communicator::kDefaultDeadline);

}  // namespace lockstep
