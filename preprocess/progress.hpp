// How far packing is, over all ranks, how fast, how long still: a live line on a terminal, elsewhere a plain line now
// and then. On rank 0. add() may be called from any thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

#include "lockstep/core/log.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep::preprocess {

class Progress {
 public:
  /// `before`: images of the `images` that were done before this process began.
  Progress(const Log& log, std::int64_t images, std::int64_t before);

  void add(std::int64_t images);
  double seconds() const { return total_.seconds(); }
  /// By this process and the ranks beside it.
  std::int64_t done() const { return done_; }

 private:
  void show(std::int64_t done);

  const Log& log_;
  const std::int64_t images_, before_;
  std::atomic<std::int64_t> done_ = 0;
  std::mutex mutex_;  // guards since_line_
  Stopwatch total_, since_line_;
};

}  // namespace lockstep::preprocess
