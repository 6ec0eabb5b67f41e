// Whose turn it is to call MPI, where MPI does not allow calls of several threads at once (MPI_THREAD_SERIALIZED).
//
// A thread holds its turn for a call that returns at once, never while it waits, so that each exchange goes on as
// before, only one question at a time. Where MPI allows any thread to call it (MPI_THREAD_MULTIPLE), there are no
// turns, and asking for one costs a look at a flag. There is one MPI in a process, so there is one turn in a process.
// Internal to src/comm.
#pragma once
#include <mutex>

namespace lockstep {

class MpiTurn {
 public:
  /// From now on calls take turns. Before any second thread calls MPI.
  static void one_at_a_time();
  static bool are_taken();

  MpiTurn();

 private:
  std::unique_lock<std::mutex> lock_;  // empty where there are no turns
};

/// What `call` returns, called in a turn of its own.
template <typename Call>
auto in_turn(const Call& call) {
  const MpiTurn turn;
  return call();
}

}  // namespace lockstep
