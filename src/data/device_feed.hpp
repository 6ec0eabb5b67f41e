// Batches brought to a GPU ahead of the step that takes them, by a thread of its own.
//
// The thread takes a batch from the loader, copies it and waits for the copy to end before it hands it out and lets go
// of the host's memory: nobody else has to think of events, and the step finds its batch on the device. The copy runs
// in a stream of its own, so that it goes on beside the kernels of the step before; in the compute stream it would
// queue behind them. What the source or the copy throws, next() throws in the place of that batch. One thread calls
// next().
#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "lockstep/data/loader.hpp"

namespace lockstep {

class DeviceFeed {
 public:
  /// The next batch on the host, or nothing after the last; called by the feed's thread. Must return when the owner
  /// ends, which is before this object does.
  using Source = std::function<std::optional<Batch>()>;
  /// The batch on the device; returns when it is there.
  using Copy = std::function<Batch(const Batch&)>;

  /// Holds up to `ahead` batches on the device beside the one that the caller has.
  DeviceFeed(Source source, Copy copy, std::size_t ahead);
  ~DeviceFeed();
  DeviceFeed(const DeviceFeed&) = delete;
  DeviceFeed& operator=(const DeviceFeed&) = delete;

  std::optional<Batch> next();

 private:
  struct Item {
    std::optional<Batch> batch;  // none: the end, or the failure
    std::exception_ptr failure;
  };

  Item fetch() const;
  void run();

  Source source_;
  Copy copy_;
  std::size_t ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stopping_ = false;
  std::thread thread_;
};

/// Copies to `device` from pinned memory, in a stream made here, and normalises uint8 images there.
DeviceFeed::Copy copy_to(c10::Device device, const ChannelScale& scale);
/// Tells the device's allocator that the calling thread's current stream uses this batch, whose memory came from the
/// stream that copied it.
void hand_over(const Batch& batch);

}  // namespace lockstep
