#include "lockstep/data/block_reader.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "lockstep/core/error.hpp"
#include "lockstep/data/epoch_order.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

class BlockReaders : public ::testing::Test {
 protected:
  std::vector<std::uint8_t> stored(std::int64_t position) const {
    std::vector<std::uint8_t> bytes(split_.stored_bytes(position));
    split_.read(position, bytes);
    return bytes;
  }
  std::vector<std::uint8_t> through(const BlockReader& reader, std::int64_t position) const {
    std::vector<std::uint8_t> bytes(reader.stored_bytes(position));
    reader.read(position, bytes);
    reader.has_read(position);
    return bytes;
  }

  testing::TemporaryFolder folder_;
  Manifest manifest_ = testing::write_tiny_data_set(folder_.path());
  DataSplit split_{folder_.path(), manifest_, "train"};
};

TEST_F(BlockReaders, BlocksCoverTheSplitAndStayInsideShards) {
  std::int64_t next = 0;
  for (const Range& block : split_.blocks(7)) {
    EXPECT_EQ(block.begin, next);
    EXPECT_LE(block.size(), 7);
    EXPECT_EQ(block.begin / 20, (block.end - 1) / 20) << "a shard holds 20";
    EXPECT_EQ(split_.block_bytes(block).bytes, static_cast<std::uint64_t>(block.size() * 8 * 8 * 3));
    next = block.end;
  }
  EXPECT_EQ(next, split_.samples());
}

TEST_F(BlockReaders, GiveTheSameBytesOverSeveralEpochsWithLittleMemory) {
  const auto blocks = split_.blocks(5);
  const StepPlan plan(split_.samples(), 8, 1);
  BlockReader reader(split_, blocks, 2000);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const EpochOrder order = window_order(blocks, 15, plan, 1, epoch);
    reader.announce(order.positions);
    for (const std::int64_t position : order.positions) ASSERT_EQ(through(reader, position), stored(position));
  }
  // A window of 15 and what the batches at its borders touch, of 192 bytes a sample; the split has 10,176.
  EXPECT_LE(reader.peak_bytes(), std::size_t{8000});
}

TEST_F(BlockReaders, ServeThreadsThatOverlapTheTurnOfAnEpoch) {
  const auto blocks = split_.blocks(5);
  const StepPlan plan(split_.samples(), 8, 1);
  BlockReader reader(split_, blocks, 1000);
  std::vector<std::int64_t> all;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    const EpochOrder order = window_order(blocks, 15, plan, 1, epoch);
    reader.announce(order.positions);
    all.insert(all.end(), order.positions.begin(), order.positions.end());
  }
  std::atomic<std::size_t> next = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < all.size(); i = next++) wrong += through(reader, all[i]) != stored(all[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(reader.held_bytes(), 0u) << "every block is given back, or reading ahead would end after some epochs";
}

TEST_F(BlockReaders, ThrowWhatReadingMet) {
  BlockReader reader(split_, split_.blocks(5), 0);
  reader.announce(std::vector<std::int64_t>{50});
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "shards"))
    std::filesystem::resize_file(entry.path(), 10);
  std::vector<std::uint8_t> bytes(split_.stored_bytes(50));
  EXPECT_THROW(reader.read(50, bytes), Error);
}

TEST_F(BlockReaders, RefuseWhatWasNotAnnounced) {
  const BlockReader reader(split_, split_.blocks(5), 1000);
  std::vector<std::uint8_t> bytes(split_.stored_bytes(3));
  EXPECT_THROW(reader.read(3, bytes), Error);
}

TEST_F(BlockReaders, EndWithBlocksThatNobodyHasRead) {
  for (int i = 0; i < 50; ++i) {
    BlockReader reader(split_, split_.blocks(5), 1500);
    reader.announce(std::vector<std::int64_t>{0, 10, 20, 30});
    if (i % 2 == 0) {
      EXPECT_EQ(through(reader, 0), stored(0));
    }
  }
}

TEST_F(BlockReaders, LetASampleBeReadTwiceAtTheSameTime) {
  BlockReader reader(split_, split_.blocks(5), 100);
  reader.announce(std::vector<std::int64_t>{3, 4});
  reader.announce(std::vector<std::int64_t>{4, 3});
  std::vector<std::uint8_t> first(reader.stored_bytes(4)), second(reader.stored_bytes(4));
  reader.read(4, first);
  reader.read(4, second);
  EXPECT_EQ(first, stored(4));
  EXPECT_EQ(second, stored(4));
  reader.has_read(4);
  reader.has_read(4);
  EXPECT_EQ(through(reader, 3), stored(3));
  EXPECT_EQ(through(reader, 3), stored(3));
  EXPECT_EQ(reader.held_bytes(), 0u);
  EXPECT_THROW(reader.has_read(3), Error);
}

}  // namespace
}  // namespace lockstep
