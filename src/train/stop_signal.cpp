#include "lockstep/train/stop_signal.hpp"

#include <atomic>

namespace lockstep {
namespace {

constexpr int signals[3] = {SIGINT, SIGTERM, SIGUSR2};
// A signal handler has no argument of ours: the one flag that must be reachable from nowhere.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void request_stop(int) { stop_requested.store(true); }

}  // namespace

StopSignal::StopSignal() {
  stop_requested.store(false);
  for (int i = 0; i < 3; ++i) {
    struct sigaction action {};
    action.sa_handler = request_stop;
    // The next Ctrl-C finds the default action; the launcher's own repeats of the other two are harmless.
    action.sa_flags = signals[i] == SIGINT ? SA_RESTART | static_cast<int>(SA_RESETHAND) : SA_RESTART;
    ::sigaction(signals[i], &action, &before_[i]);
  }
}

StopSignal::~StopSignal() {
  for (int i = 0; i < 3; ++i) ::sigaction(signals[i], &before_[i], nullptr);
}

bool StopSignal::requested() const { return stop_requested.load(); }

}  // namespace lockstep
