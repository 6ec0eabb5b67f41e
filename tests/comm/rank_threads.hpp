// Runs a piece of code as N ranks that are threads of this process.
//
// A rank that throws aborts the exchange, so that no other waits for it; the first exception is thrown to the caller.
#pragma once
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lockstep/comm/threads.hpp"

namespace lockstep::testing {

inline void run_ranks(int ranks, const std::function<void(Communicator&)>& body, Seconds deadline = Seconds(60)) {
  ThreadHub hub(ranks, deadline);
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const std::unique_ptr<Communicator> communicator = hub.communicator(rank);
      try {
        body(*communicator);
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
        communicator->abort(error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace lockstep::testing
