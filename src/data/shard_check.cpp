#include "lockstep/data/shard_check.hpp"

#include <linux/ioprio.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/shard.hpp"

namespace lockstep {
namespace {

/// For the calling thread: others come first. Refused (by some containers), it runs as everybody.
void step_back() {
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none);
  ::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

}  // namespace

struct ShardCheck::State {
  std::filesystem::path folder;
  std::vector<ShardEntry> shards;
  bool keep_cached;
  std::atomic<bool> stopping = false;
  std::atomic<std::int64_t> checked = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  std::thread thread;

  void check(const ShardEntry& shard) {
    const RandomAccessFile file(folder / shard.file);
    Digest digest;
    file.read_through([&](std::uint64_t offset, std::span<const std::uint8_t> block) {
      digest.add(block);
      if (!keep_cached) file.will_not_need(offset, block.size());
      return !stopping;
    });
    if (stopping) return;
    require_checksum(file.path(), digest.hex(), shard);
    ++checked;
  }

  void run() {
    step_back();
    try {
      for (const ShardEntry& shard : shards) {
        if (stopping) return;
        check(shard);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  }
};

ShardCheck::ShardCheck(const std::filesystem::path& folder, const Manifest& manifest,
                       std::span<const std::string> splits, int part, int parts, bool keep_cached)
    : state_(std::make_unique<State>()) {
  state_->folder = folder;
  state_->keep_cached = keep_cached;
  int number = 0;
  for (const std::string& split : splits) {
    for (const ShardEntry& shard : manifest.split(split).shards) {
      if (number++ % parts == part) state_->shards.push_back(shard);
    }
  }
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

ShardCheck::~ShardCheck() {
  state_->stopping = true;
  state_->thread.join();
}

void ShardCheck::rethrow() {
  const std::lock_guard lock(state_->mutex);
  if (state_->failure) std::rethrow_exception(std::exchange(state_->failure, nullptr));
}

std::int64_t ShardCheck::checked() const { return state_->checked; }
std::int64_t ShardCheck::shards() const { return std::ssize(state_->shards); }

}  // namespace lockstep
