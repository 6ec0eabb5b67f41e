#include "lockstep/comm/work.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

// A year: beyond any job, and safe to add to a time point.
constexpr Seconds kLongestDeadline{365.0 * 24 * 3600};

}  // namespace

Error late_error(const Operation& operation, const Place& place, Seconds waited, const std::string& missing) {
  const std::string who = missing.empty() ? "" : "; not there yet: rank " + missing;
  return Error(
      fmt::format("{} (operation {}, {} bytes) did not finish within {:.3g} s{}", describe(operation),
                  operation.sequence, operation.bytes(), waited.count(), who),
      place.text(),
      "a rank hung, died or is far behind: look at the last lines of the other ranks; if it is only slow, allow a "
      "longer deadline",
      Exit::watchdog);
}

std::string Place::text() const {
  return fmt::format("rank {} of {}{} ({})", rank, size, host.empty() ? "" : " on " + host, backend);
}

Work::Work(std::shared_ptr<Pending> pending, Operation operation, std::shared_ptr<const Place> place, Seconds deadline)
    : pending_(std::move(pending)), operation_(std::move(operation)), place_(std::move(place)), deadline_(deadline) {}

void Work::wait() { wait(deadline_); }

void Work::wait(Seconds deadline) {
  if (!pending_) return;
  const Seconds allowed = std::min(deadline, kLongestDeadline);
  const auto limit = Pending::Clock::now() + std::chrono::duration_cast<Pending::Clock::duration>(allowed);
  if (!pending_->wait_until(limit)) throw late_error(operation_, *place_, allowed, pending_->missing_ranks());
  *this = Work();
}

void Work::let_stream_wait() {
  if (!pending_) return;
  if (!pending_->hold_stream()) return wait();
  *this = Work();
}

bool Work::test() {
  if (pending_ && !pending_->test()) return false;
  *this = Work();
  return true;
}

}  // namespace lockstep
