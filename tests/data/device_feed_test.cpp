// The thread that brings batches to a device, with a copy that needs none.
#include "data/device_feed.hpp"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

Batch batch_of(std::int64_t step) {
  return {
      0, step, at::full({2, 3}, static_cast<double>(step), at::kFloat), at::full({2}, step, at::kLong), {step, step}};
}

Batch cloned(const Batch& batch) {
  return {batch.epoch, batch.step, batch.images.clone(), batch.labels.clone(), batch.ids};
}

/// `count` batches, then the end; a step in `failing` throws.
DeviceFeed::Source counted(std::int64_t count, std::int64_t failing = -1) {
  return [count, failing, step = std::int64_t{0}]() mutable -> std::optional<Batch> {
    if (step == count) return std::nullopt;
    const std::int64_t mine = step++;
    if (mine == failing) throw Error("a damaged shard", "x.h5", "");
    return batch_of(mine);
  };
}

TEST(DeviceFeed, HandsOutCopiesInOrderAndThenTheEnd) {
  DeviceFeed feed(counted(20), cloned, 2);
  for (std::int64_t step = 0; step < 20; ++step) {
    const auto batch = feed.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->step, step);
    EXPECT_EQ(batch->images[1][2].item<float>(), static_cast<float>(step));
    EXPECT_EQ(batch->labels[0].item<std::int64_t>(), step);
    EXPECT_EQ(batch->ids, (std::vector<std::int64_t>{step, step}));
  }
  EXPECT_FALSE(feed.next());
  EXPECT_FALSE(feed.next());
}

TEST(DeviceFeed, CopiesNoFurtherAheadThanAsked) {
  std::atomic<int> copies{0};
  DeviceFeed feed(
      counted(100),
      [&](const Batch& batch) {
        ++copies;
        return cloned(batch);
      },
      3);
  ASSERT_TRUE(feed.next());
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);  // a busy machine is no failure
  while (copies < 3 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_GE(copies, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // in which a feed without a bound would run on
  EXPECT_LE(copies, 4) << "one handed out, three ahead";
}

TEST(DeviceFeed, LetsGoOfTheHostsMemoryOnceItIsCopied) {
  at::Tensor host = at::full({4}, 1.0, at::kFloat);
  const at::Tensor watched = host;
  DeviceFeed feed(
      [images = std::move(host)]() mutable -> std::optional<Batch> {
        if (!images.defined()) return std::nullopt;
        return Batch{0, 0, std::move(images), at::full({1}, 0, at::kLong), {0}};
      },
      cloned, 2);
  ASSERT_TRUE(feed.next());
  EXPECT_FALSE(feed.next());  // the thread has come past the copy
  EXPECT_EQ(watched.use_count(), 1);
}

TEST(DeviceFeed, AFailureComesInThePlaceOfItsBatchAndTheRestFollows) {
  DeviceFeed feed(counted(4, 1), cloned, 2);
  EXPECT_EQ(feed.next()->step, 0);
  EXPECT_THROW(feed.next(), Error);
  EXPECT_EQ(feed.next()->step, 2);
  DeviceFeed copies_fail(
      counted(2), [](const Batch&) -> Batch { throw Error("no memory", "GPU 0", ""); }, 1);
  EXPECT_THROW(copies_fail.next(), Error);
}

TEST(DeviceFeed, EndsWhileItsSourceIsWaited) {
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  DeviceFeed feed(
      [&]() -> std::optional<Batch> {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return ended; });
        return std::nullopt;
      },
      cloned, 2);
  const std::lock_guard lock(mutex);
  ended = true;
  changed.notify_all();
}

TEST(DeviceFeed, EndsWithBatchesNobodyTook) {
  DeviceFeed feed(counted(100), cloned, 2);
  EXPECT_TRUE(feed.next());
}

}  // namespace
}  // namespace lockstep
