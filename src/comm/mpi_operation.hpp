// One operation under way in MPI, and the queue that lets a thread push all of them on while the caller computes.
//
// Internal to src/comm. MPI_Test may be called from several threads, but not on one request: each operation has a
// mutex.
#pragma once
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lockstep/comm/work.hpp"
#include "mpi_calls.hpp"

namespace lockstep {

class MpiOperation;

/// The operations under way of a communicator and those split from it. Thread-safe.
class MpiQueue {
 public:
  using Operations = std::vector<std::shared_ptr<MpiOperation>>;

  void add(std::shared_ptr<MpiOperation> operation);
  void forget(const std::shared_ptr<MpiOperation>& operation);
  /// Blocks while there is nothing to push on or a caller does it. False: stop() was called.
  bool next(Operations& under_way);
  void stop();

  /// While it lives, a caller asks MPI itself and the thread stands back: two askers only take each other's processor.
  class Caller {
   public:
    explicit Caller(MpiQueue& queue);
    ~Caller();
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

   private:
    MpiQueue& queue_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Operations operations_;
  int callers_ = 0;
  bool stopped_ = false;
};

/// A thread that asks MPI about the operations of a queue, so that they move; ends when destroyed.
class MpiProgressThread {
 public:
  explicit MpiProgressThread(std::shared_ptr<MpiQueue> queue);
  ~MpiProgressThread();
  MpiProgressThread(const MpiProgressThread&) = delete;
  MpiProgressThread& operator=(const MpiProgressThread&) = delete;

 private:
  std::shared_ptr<MpiQueue> queue_;
  std::thread thread_;
};

class MpiOperation final : public Pending {
 public:
  MpiOperation(Operation operation, std::shared_ptr<MpiQueue> queue)
      : operation_(std::move(operation)), queue_(std::move(queue)) {}

  // Used while it is being issued, before any other thread knows of it.
  MPI_Request* new_request() { return &requests_.emplace_back(MPI_REQUEST_NULL); }
  /// Lists of counts that MPI reads until the operation is done.
  std::vector<int>& kept_list() { return *lists_.emplace_back(std::make_unique<std::vector<int>>()); }
  const Operation& operation() const { return operation_; }

  bool test() override;
  bool wait_until(Clock::time_point deadline) override;
  /// test() for the progress thread: errors are kept for the caller, and a failed operation counts as done.
  bool push() noexcept;

 private:
  bool advance();  // under the mutex

  Operation operation_;
  std::shared_ptr<MpiQueue> queue_;
  std::mutex mutex_;
  std::vector<MPI_Request> requests_;
  std::vector<std::unique_ptr<std::vector<int>>> lists_;
  std::exception_ptr failure_;
};

}  // namespace lockstep
