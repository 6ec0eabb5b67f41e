// SIGINT (Ctrl-C), SIGTERM and SIGUSR2 (which mpirun forwards to all ranks) as a flag that the loop looks at after a
// step.
//
// The handlers only set the flag; nothing is written inside them. A second Ctrl-C ends the process at once. One object
// a process at a time; the previous handlers return on its destruction.
#pragma once
#include <csignal>

namespace lockstep {

class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// Whether one of the signals came, on this process.
  bool requested() const;

 private:
  struct sigaction before_[3];
};

}  // namespace lockstep
