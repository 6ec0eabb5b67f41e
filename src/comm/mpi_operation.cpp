#include "mpi_operation.hpp"

#include <sys/prctl.h>

#include <algorithm>

namespace lockstep {

void MpiQueue::add(std::shared_ptr<MpiOperation> operation) {
  const std::lock_guard lock(mutex_);
  operations_.push_back(std::move(operation));
  changed_.notify_one();
}

void MpiQueue::forget(const std::shared_ptr<MpiOperation>& operation) {
  const std::lock_guard lock(mutex_);
  std::erase(operations_, operation);
}

bool MpiQueue::next(Operations& under_way) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopped_ || (callers_ == 0 && !operations_.empty()); });
  under_way = operations_;
  return !stopped_;
}

void MpiQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_one();
}

MpiQueue::Caller::Caller(MpiQueue& queue) : queue_(queue) {
  const std::lock_guard lock(queue_.mutex_);
  ++queue_.callers_;
}

MpiQueue::Caller::~Caller() {
  const std::lock_guard lock(queue_.mutex_);
  --queue_.callers_;
  queue_.changed_.notify_one();
}

MpiProgressThread::MpiProgressThread(std::shared_ptr<MpiQueue> queue) : queue_(std::move(queue)) {
  thread_ = std::thread([work = queue_] {
    ::prctl(PR_SET_TIMERSLACK, 1);  // else the kernel adds up to 50 µs to each of our pauses
    MpiQueue::Operations under_way;
    Patience patience{std::chrono::microseconds(200)};
    for (std::size_t before = 0; work->next(under_way); before = under_way.size()) {
      if (under_way.size() > before) patience.reset();
      patience.ask([&] {
        const auto done = std::erase_if(under_way, [&](const auto& operation) {
          const bool finished = operation->push();
          if (finished) work->forget(operation);
          return finished;
        });
        return done > 0;
      });
    }
  });
}

MpiProgressThread::~MpiProgressThread() {
  queue_->stop();
  thread_.join();
}

bool MpiOperation::advance() {
  if (failure_) std::rethrow_exception(failure_);
  try {
    while (!requests_.empty()) {
      int done = 0;
      check_mpi(in_turn([&] { return MPI_Test(&requests_.back(), &done, MPI_STATUS_IGNORE); }), "MPI_Test");
      if (done == 0) return false;
      requests_.pop_back();
    }
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
  return true;
}

bool MpiOperation::test() {
  const std::lock_guard lock(mutex_);
  return advance();
}

bool MpiOperation::push() noexcept {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return false;
  try {
    return advance();
  } catch (...) {
    return true;  // kept in failure_: the caller's wait() throws it
  }
}

bool MpiOperation::wait_until(Clock::time_point deadline) {
  if (test()) return true;
  const MpiQueue::Caller caller(*queue_);
  Patience patience{std::chrono::microseconds(100)};
  while (!patience.ask([&] { return test(); })) {
    if (Clock::now() >= deadline) return test();
  }
  return true;
}

}  // namespace lockstep
