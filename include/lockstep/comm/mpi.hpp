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

/// How operations are cut; equal on all ranks. Tests ask for less than a run does.
struct MpiPieces {
  /// Numbers summed by one MPI call: 4 MiB of float32, whose copies stay in the cache. 64 MiB between two ranks of one
  /// machine took 32 ms in such pieces and 83 ms at once (Open MPI 4.1.4, two cores, 2026-11-21).
  std::int64_t combined = std::int64_t{1} << 20;
  /// Elements of any other call; MPI itself ends at 2^31−1.
  std::int64_t largest = std::int64_t{1} << 30;
};

/// Every rank calls it. Errors: a world without MPI.
std::unique_ptr<Communicator> make_mpi_communicator(const World& world, Progress progress,
                                                    Seconds deadline = Communicator::default_deadline,
                                                    const MpiPieces& pieces = {});

/// The communicator a run uses: serial where there is no MPI, else MPI. Every rank calls it.
std::unique_ptr<Communicator> make_communicator(const World& world, Progress progress = Progress::thread,
                                                Seconds deadline = Communicator::default_deadline);

}  // namespace lockstep
