// An operation under way: wait for it, or ask whether it is done.
//
// A Work is a movable value. Until it is finished, the tensors of its operation must be neither read (outputs) nor
// written. Dropping an unfinished Work is safe: the memory stays alive and the operation goes on. What went wrong is
// thrown by wait() and test(), again at each call. One thread at a time.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "lockstep/comm/operation.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {

using Seconds = std::chrono::duration<double>;

/// Who speaks: part of every error about an exchange.
struct Place {
  std::string backend;  ///< "serial", "threads", "mpi" …
  int rank = 0;
  int size = 1;
  std::string host;

  /// "rank 1 of 4 on node17 (mpi)"
  std::string text() const;
};

/// The error about an operation that took longer than allowed (Exit::watchdog). `missing`: see Pending.
Error late_error(const Operation& operation, const Place& place, Seconds waited, const std::string& missing);

/// A backend's part of a Work. Implementations keep the operation's memory alive until nobody writes into it any more.
class Pending {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Pending() = default;
  /// Whether the operation is done; never blocks. Throws the operation's error.
  virtual bool test() = 0;
  /// Blocks until done (true) or until `deadline` (false). Throws the operation's error.
  virtual bool wait_until(Clock::time_point deadline) = 0;
  /// Makes what the caller's current stream does next wait for the operation, without stopping the host; false where
  /// the backend has no streams.
  virtual bool hold_stream() { return false; }
  /// The ranks that have not arrived, as "2, 3"; empty where the backend cannot know.
  virtual std::string missing_ranks() const { return {}; }
};

class Work {
 public:
  /// Work that is already done.
  Work() = default;
  Work(std::shared_ptr<Pending> pending, Operation operation, std::shared_ptr<const Place> place, Seconds deadline);

  /// Returns when the operation is done. Errors: the operation's own; Exit::watchdog when the communicator's deadline
  /// passes first, with rank, host, operation, its number, bytes, the seconds waited and, if known, who is missing.
  void wait();
  /// The same with a deadline of its own. May be called again after it passed.
  void wait(Seconds deadline);
  /// Whether the operation is done; never blocks.
  bool test();
  /// For tensors that only the device looks at next: what the caller's current stream does from now on comes after the
  /// operation, while the host goes on. What goes wrong is thrown by the communicator, in settle() at the latest. The
  /// same as wait() where the backend has no streams (CPU).
  void let_stream_wait();

 private:
  std::shared_ptr<Pending> pending_;  // null: done
  Operation operation_;
  std::shared_ptr<const Place> place_;
  Seconds deadline_{0};
};

}  // namespace lockstep
