#include "lockstep/comm/threads.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "in_process.hpp"

namespace lockstep {
namespace {

/// One operation of all ranks, from the first that posts it to its end. Guarded by the hub's mutex; the last rank to
/// arrive has `posted` for itself while it executes.
struct Meeting {
  explicit Meeting(int ranks) : posted(static_cast<std::size_t>(ranks)) {}
  std::vector<Operation> posted;  // [rank]; sequence 0: not there yet
  int arrived = 0;
  bool done = false;
};

/// Why two ranks do not fit together, or nothing.
std::optional<Error> mismatch(const Meeting& meeting, int rank, const Operation& operation) {
  for (std::size_t other = 0; other < meeting.posted.size(); ++other) {
    const Operation& posted = meeting.posted[other];
    if (posted.sequence == 0 || describe(posted) == describe(operation)) continue;
    return Error(fmt::format("the ranks called different things: rank {}: {}, rank {}: {}", other, describe(posted),
                             rank, describe(operation)),
                 fmt::format("operation {} (threads)", operation.sequence),
                 "all ranks must call the same operations with the same sizes and dtypes in the same order");
  }
  return std::nullopt;
}

}  // namespace

/// Where the ranks meet. Shared by their communicators and Work; all members are thread-safe.
struct ThreadHubState {
  ThreadHubState(int hub_ranks, Seconds hub_deadline) : ranks(hub_ranks), deadline(hub_deadline) {}

  const int ranks;
  const Seconds deadline;

  /// Enters `rank` into the meeting of its operation; the last one to come executes it.
  std::shared_ptr<Meeting> enter(int rank, const Operation& operation);
  /// Ends everything that is not done yet, and whatever would come; the first reason stays.
  void fail(Error error);
  bool is_done(const Meeting& meeting);
  bool wait_until(const Meeting& meeting, Pending::Clock::time_point limit);
  std::string missing_ranks(const Meeting& meeting);
  /// The hub of the `members` ranks that share a colour in a split; the first to ask makes it, the last one ends its
  /// entry.
  std::shared_ptr<ThreadHubState> part(std::uint64_t split, int colour, int members);

 private:
  struct Part {
    std::shared_ptr<ThreadHubState> hub;
    int taken = 0;
  };

  /// Under the lock: the meeting, and whether this rank is the last.
  std::pair<std::shared_ptr<Meeting>, bool> join(int rank, const Operation& operation);
  bool settled(const Meeting& meeting) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, std::shared_ptr<Meeting>> open_;  // [sequence], not all ranks there yet
  std::map<std::pair<std::uint64_t, int>, Part> parts_;     // [split, colour]
  std::optional<Error> failure_;
};

std::shared_ptr<Meeting> ThreadHubState::enter(int rank, const Operation& operation) {
  const auto [meeting, last] = join(rank, operation);
  if (!last) return meeting;
  try {
    execute(meeting->posted);
  } catch (const std::exception& error) {
    fail(Error(error.what(), describe(operation), "the exchange of all ranks was stopped"));
    throw;
  }
  const std::lock_guard lock(mutex_);
  meeting->done = true;
  changed_.notify_all();
  return meeting;
}

std::pair<std::shared_ptr<Meeting>, bool> ThreadHubState::join(int rank, const Operation& operation) {
  const std::lock_guard lock(mutex_);
  if (failure_) throw *failure_;
  auto& place = open_[operation.sequence];
  if (!place) place = std::make_shared<Meeting>(ranks);
  const std::shared_ptr<Meeting> meeting = place;
  if (auto error = mismatch(*meeting, rank, operation)) {
    failure_ = *error;
    changed_.notify_all();
    throw *error;
  }
  meeting->posted[static_cast<std::size_t>(rank)] = operation;
  const bool last = ++meeting->arrived == ranks;
  if (last) open_.erase(operation.sequence);
  return {meeting, last};
}

void ThreadHubState::fail(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  changed_.notify_all();
}

bool ThreadHubState::settled(const Meeting& meeting) const {
  if (!meeting.done && failure_) throw *failure_;
  return meeting.done;
}

bool ThreadHubState::is_done(const Meeting& meeting) {
  const std::lock_guard lock(mutex_);
  return settled(meeting);
}

bool ThreadHubState::wait_until(const Meeting& meeting, Pending::Clock::time_point limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, limit, [&] { return settled(meeting); });
}

std::string ThreadHubState::missing_ranks(const Meeting& meeting) {
  const std::lock_guard lock(mutex_);
  std::string names;
  for (std::size_t rank = 0; rank < meeting.posted.size(); ++rank) {
    if (meeting.posted[rank].sequence == 0) names += (names.empty() ? "" : ", ") + std::to_string(rank);
  }
  return names;
}

std::shared_ptr<ThreadHubState> ThreadHubState::part(std::uint64_t split, int colour, int members) {
  const std::lock_guard lock(mutex_);
  Part& part = parts_[{split, colour}];
  if (!part.hub) part.hub = std::make_shared<ThreadHubState>(members, deadline);
  std::shared_ptr<ThreadHubState> hub = part.hub;
  if (++part.taken == members) parts_.erase({split, colour});
  return hub;
}

namespace {

class ThreadPending final : public Pending {
 public:
  ThreadPending(std::shared_ptr<ThreadHubState> hub, std::shared_ptr<Meeting> meeting)
      : hub_(std::move(hub)), meeting_(std::move(meeting)) {}

  bool test() override { return hub_->is_done(*meeting_); }
  bool wait_until(Clock::time_point deadline) override { return hub_->wait_until(*meeting_, deadline); }
  std::string missing_ranks() const override { return hub_->missing_ranks(*meeting_); }

 private:
  std::shared_ptr<ThreadHubState> hub_;
  std::shared_ptr<Meeting> meeting_;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<ThreadHubState> hub, int rank)
      : Communicator({.backend = "threads", .rank = rank, .size = hub->ranks, .host = ""}, hub->deadline),
        hub_(std::move(hub)) {}

  std::unique_ptr<Communicator> split(int colour, int key) override;

  void abort(std::string_view reason, Exit code) override {
    hub_->fail(Error("the exchange was aborted: " + std::string(reason), "by " + place().text(), "", code));
  }

 protected:
  std::shared_ptr<Pending> start(const Operation& operation) override {
    return std::make_shared<ThreadPending>(hub_, hub_->enter(rank(), operation));
  }
  bool combines(at::ScalarType dtype) const override { return combined_in_process(dtype); }

 private:
  std::shared_ptr<ThreadHubState> hub_;
  std::uint64_t splits_ = 0;
};

std::unique_ptr<Communicator> ThreadCommunicator::split(int colour, int key) {
  at::Tensor mine = at::empty({2}, at::kLong);
  mine[0] = colour;
  mine[1] = key;
  at::Tensor all = at::empty({size(), 2}, at::kLong);
  gather_all(mine, all).wait();
  ++splits_;
  if (colour < 0) return nullptr;

  std::vector<std::pair<std::int64_t, int>> members;  // (key, rank)
  for (int r = 0; r < size(); ++r) {
    if (all[r][0].item<std::int64_t>() == colour) members.emplace_back(all[r][1].item<std::int64_t>(), r);
  }
  std::sort(members.begin(), members.end());
  const auto me = std::find(members.begin(), members.end(), std::pair<std::int64_t, int>(key, rank()));
  return std::make_unique<ThreadCommunicator>(hub_->part(splits_, colour, static_cast<int>(members.size())),
                                              static_cast<int>(me - members.begin()));
}

}  // namespace

ThreadHub::ThreadHub(int ranks, Seconds deadline) {
  if (ranks < 1) throw defect(fmt::format("a hub of {} ranks", ranks), "ThreadHub");
  state_ = std::make_shared<ThreadHubState>(ranks, deadline);
}

std::unique_ptr<Communicator> ThreadHub::communicator(int rank) {
  if (rank < 0 || rank >= state_->ranks) throw defect(fmt::format("rank {} of {}", rank, state_->ranks), "ThreadHub");
  return std::make_unique<ThreadCommunicator>(state_, rank);
}

}  // namespace lockstep
