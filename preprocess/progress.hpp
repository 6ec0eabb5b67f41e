// How far packing is, how fast, how long still: a live line on a terminal, elsewhere a plain line now and then.
//
// Rank 0 counts its own images and takes the other ranks to be as fast until their count is known at the end of a
// round. image_done() may be called from any thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

#include "lockstep/core/log.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep::preprocess {

class Progress {
 public:
  Progress(const Log& log, std::int64_t images, std::int64_t ranks);

  void image_done();
  /// `images`: done by all ranks so far, exactly.
  void round_done(std::int64_t images);
  double seconds() const { return total_.seconds(); }

 private:
  void show(std::int64_t done);

  const Log& log_;
  const std::int64_t images_, ranks_;
  std::atomic<std::int64_t> known_ = 0;  // of all ranks, at the end of the last round
  std::atomic<std::int64_t> own_ = 0;    // of this rank, in this round
  std::mutex mutex_;                     // guards what follows
  Stopwatch total_, since_line_;
};

}  // namespace lockstep::preprocess
