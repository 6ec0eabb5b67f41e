// How a thread waits for messages without taking the processor from those that compute.
//
// Open MPI moves bytes only inside calls, so waiting means asking again and again. Asking without pause by two ranks on
// two cores leaves nothing to the network's kernels; sleeping always makes an exchange of many rounds slow. A question
// that took long moved bytes, so the next one is worth asking at once; questions that return at once are asked ever
// less often. One object per wait; one thread.
#pragma once
#include <algorithm>
#include <chrono>
#include <thread>

namespace lockstep {

class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  /// `longest`: the longest pause between two questions.
  explicit Patience(std::chrono::microseconds longest) : longest_(longest) {}

  /// Asks `question` once, then pauses as its duration suggests. Returns its answer; a "yes" is never followed by a
  /// pause.
  template <typename Question>
  bool ask(Question&& question) {
    const Clock::time_point start = Clock::now();
    if (question()) return true;
    if (Clock::now() - start > bytes_moved) {
      idle_questions_ = 0;
    } else {
      ++idle_questions_;
    }
    pause();
    return false;
  }

  /// Starts again with short pauses: something new is under way.
  void reset() { idle_questions_ = 0; }

 private:
  static constexpr std::chrono::microseconds bytes_moved{5};  // an MPI_Test that finds nothing takes below 1 µs
  static constexpr int spins = 50;                            // some 20 µs on an idle core: a small message's way
  static constexpr std::chrono::microseconds shortest{10};

  void pause() const {
    if (idle_questions_ < spins) {
      std::this_thread::yield();
    } else {
      const int doublings = std::min((idle_questions_ - spins) / 4, 10);
      std::this_thread::sleep_for(std::min(shortest * (1 << doublings), longest_));
    }
  }

  std::chrono::microseconds longest_;
  int idle_questions_ = 0;
};

}  // namespace lockstep
