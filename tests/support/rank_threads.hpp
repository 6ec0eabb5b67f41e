// Ranks as threads: runs `work(rank, its communicator)` once per rank and throws the first failure.
#pragma once
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lockstep/comm/threads.hpp"

namespace lockstep::testing {

inline void on_rank_threads(int ranks, const std::function<void(int, std::unique_ptr<Communicator>)>& work) {
  ThreadHub hub(ranks, Seconds(60));
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        work(rank, hub.communicator(rank));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace lockstep::testing
