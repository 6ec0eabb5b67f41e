// The processes of one run: MPI's life cycle as RAII, without tensors (the packer uses it too).
//
// Started by mpirun, srun or another launcher, it initialises MPI for calls of several threads (which take
// turns where it has MPI_THREAD_SERIALIZED alone) and finalises it at the end;
// started by hand it is a world of one rank that never touches MPI (saves 0.3 s and a daemon). One World a process,
// made and destroyed on the main thread, after which no Communicator may be used. Destroyed while an exception unwinds,
// it ends the whole run (exit code 1): MPI_Finalize would wait for the other ranks. Programs catch first and abort()
// with a reason. Waiting leaves the processor to others (pauses of up to 0.5 ms). MPI's failures arrive as Error with
// MPI's own sentence.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

class World {
 public:
  /// Errors: MPI that allows calls of its main thread alone; MPI already initialised.
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Whether this process was started by an MPI launcher (from its environment variables; before any World exists).
  static bool launched();

  int rank() const;
  int size() const;
  int local_rank() const;  ///< rank among the processes of this host
  int local_size() const;
  std::string host() const;
  /// Whether MPI is running, that is whether more than this process may be there.
  bool uses_mpi() const;
  /// Whether threads take turns at calling MPI, which allows no more.
  bool takes_turns() const;

  // The few operations that need no tensor; every rank calls them in the same order, from one thread.
  void barrier();
  /// For the end of a run: whether every rank calls it within `patience`. Meets only itself, whatever exchange others
  /// are in; after false the only thing left is abort().
  bool barrier_within(std::chrono::seconds patience);
  /// Text of rank `root` on every rank; up to 2^31−1 bytes.
  std::string broadcast(std::string text, int root = 0);
  /// One text per rank, in rank order, on every rank.
  std::vector<std::string> gather_all(const std::string& mine);
  /// Element-wise sum over the ranks, on every rank; exact for integers.
  void sum(std::vector<std::int64_t>& values);

  // Letters from one rank to another, for work that is handed out while it goes on. They meet no other exchange.
  struct Letter {
    int from = 0;
    std::string text;
  };
  /// Sends `text` to another rank, which collects it at some time; returns when `text` may be forgotten. Any thread.
  void post(int to, const std::string& text);
  /// A letter that has come, in the order of its sender; none if there is none yet. One thread of a rank at a time.
  std::optional<Letter> collect();

  /// Ends every rank of the run with `code`; says `reason` with this rank and host on stderr first.
  [[noreturn]] void abort(int code, std::string_view reason) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
