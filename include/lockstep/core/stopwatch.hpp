// Seconds on the steady clock, and their sum over repeated spans.
//
// Wall time in seconds as double, not affected by changes of the system's clock. Values; one thread at a time each.
#pragma once
#include <chrono>

namespace lockstep {

class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void restart() { start_ = Clock::now(); }

 private:
  Clock::time_point start_ = Clock::now();
};

/// Adds the lifetime of this object, in seconds, to `total`.
class TimedSpan {
 public:
  explicit TimedSpan(double& total) : total_(total) {}
  ~TimedSpan() { total_ += watch_.seconds(); }
  TimedSpan(const TimedSpan&) = delete;
  TimedSpan& operator=(const TimedSpan&) = delete;

 private:
  double& total_;
  Stopwatch watch_;
};

}  // namespace lockstep
