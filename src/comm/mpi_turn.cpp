#include "mpi_turn.hpp"

#include <atomic>

namespace lockstep {
namespace {

// Of the process, as MPI is.
std::atomic<bool> taken{false};
std::mutex turn;

}  // namespace

void MpiTurn::one_at_a_time() { taken.store(true); }
bool MpiTurn::are_taken() { return taken.load(std::memory_order_relaxed); }

MpiTurn::MpiTurn() {
  if (are_taken()) lock_ = std::unique_lock(turn);
}

}  // namespace lockstep
