// What a run does about its shards beside reading samples: checking, staging, locking in memory, letting go.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/locked_shards.hpp"
#include "lockstep/data/shard_check.hpp"
#include "lockstep/data/staged_shards.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {
namespace fs = std::filesystem;

class ShardAccess : public ::testing::Test {
 protected:
  /// Flips one byte in the middle of a shard.
  void damage(const std::string& file) const {
    std::fstream shard(folder_.path() / file, std::ios::in | std::ios::out | std::ios::binary);
    shard.seekg(5000);
    const char byte = static_cast<char>(shard.get() ^ 1);
    shard.seekp(5000);
    shard.put(byte);
  }
  /// How many pages of a file lie in the page cache.
  static std::size_t cached_pages(const fs::path& path) {
    const std::size_t bytes = fs::file_size(path);
    const int file = ::open(path.c_str(), O_RDONLY);
    void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    std::vector<unsigned char> pages((bytes + 4095) / 4096);
    ::mincore(memory, bytes, pages.data());
    ::munmap(memory, bytes);
    return static_cast<std::size_t>(std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
  }
  /// Of this process, by the system's count.
  static std::int64_t locked_bytes() {
    std::ifstream status("/proc/self/status");
    std::int64_t kib = 0;
    for (std::string word; status >> word;) {
      if (word == "VmLck:" && status >> kib) break;
    }
    return kib * 1024;
  }
  static void wait_for(const ShardCheck& check) {
    for (int i = 0; i < 500 && check.checked() < check.shards(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  testing::TemporaryFolder folder_;
  testing::TinyDataSet spec_{32, 3, 3, 53, 17, 11, 20, false};
  Manifest manifest_ = testing::write_tiny_data_set(folder_.path(), spec_);
  const std::vector<std::string> splits_ = {"train", "validation"};
};

TEST_F(ShardAccess, ChecksEveryShardOnceOverAllRanks) {
  std::int64_t checked = 0;
  for (int rank = 0; rank < 3; ++rank) {
    ShardCheck check(folder_.path(), manifest_, splits_, rank, 3, true);
    wait_for(check);
    EXPECT_NO_THROW(check.rethrow());
    EXPECT_EQ(check.checked(), check.shards());
    checked += check.checked();
  }
  EXPECT_EQ(checked, 4) << "three shards of train, one of validation";
}

TEST_F(ShardAccess, NamesADamagedShardOfGoodSize) {
  damage("shards/train-00001.h5");
  EXPECT_NO_THROW(DataSplit(folder_.path(), manifest_, "train")) << "opening reads no pixels";
  ShardCheck check(folder_.path(), manifest_, splits_, 0, 1, true);
  std::string found;
  for (int i = 0; i < 500 && found.empty(); ++i) {
    try {
      check.rethrow();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } catch (const Error& error) {
      found = error.what();
    }
  }
  EXPECT_NE(found.find("train-00001.h5"), std::string::npos) << found;
  EXPECT_NE(found.find("checksum"), std::string::npos) << found;
}

TEST_F(ShardAccess, EndsAnUnfinishedCheck) {
  for (int i = 0; i < 20; ++i) ShardCheck(folder_.path(), manifest_, splits_, 0, 1, true);
}

TEST_F(ShardAccess, StagesACopyThatReadsTheSameAndLeavesNothing) {
  const fs::path stage = folder_ / "stage";
  std::vector<std::uint8_t> original(32 * 32 * 3), copied(32 * 32 * 3);
  const DataSplit in_place(folder_.path(), manifest_, "validation");
  {
    auto staged = std::make_unique<StagedShards>(folder_.path(), manifest_, splits_, stage);
    EXPECT_EQ(staged->bytes(), shard_bytes(manifest_, splits_));
    const DataSplit split(staged->folder(), manifest_, "validation");
    EXPECT_THROW(DataSplit(staged->folder(), manifest_, "test"), Error) << "only the splits that were asked for";
    staged.reset();
    EXPECT_TRUE(fs::is_empty(stage)) << "the names go at once";
    for (std::int64_t position = 0; position < split.samples(); ++position) {
      split.read(position, copied);
      in_place.read(position, original);
      ASSERT_EQ(copied, original);
    }
  }
}

TEST_F(ShardAccess, StagingRefusesADamagedShardAndLeavesNothing) {
  damage("shards/validation-00000.h5");
  const fs::path stage = folder_ / "stage";
  try {
    StagedShards(folder_.path(), manifest_, splits_, stage);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("validation-00000.h5"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(fs::is_empty(stage));
}

TEST_F(ShardAccess, StagingRemovesWhatDeadProcessesLeft) {
  const fs::path stage = folder_ / "stage", prefix = "lockstep-" + host_name() + "-";
  const fs::path dead = stage / (prefix.string() + "4194305"), alive = stage / (prefix.string() + "1"),
                 strange = stage / (prefix.string() + "x");
  for (const fs::path& folder : {dead, alive, strange}) fs::create_directories(folder / "shards");
  StagedShards(folder_.path(), manifest_, splits_, stage);
  EXPECT_FALSE(fs::exists(dead)) << "no process has a number above the system's largest";
  EXPECT_TRUE(fs::exists(alive));
  EXPECT_TRUE(fs::exists(strange));
}

TEST_F(ShardAccess, StagingSaysWhenThereIsNoRoom) {
  manifest_.splits[0].shards[0].bytes = std::int64_t{1} << 60;
  try {
    StagedShards(folder_.path(), manifest_, splits_, folder_ / "stage");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("are free on"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("--stage"), std::string::npos);
  }
}

TEST_F(ShardAccess, LocksShardsInMemoryAsFarAsTheSystemAllows) {
  const fs::path shard = folder_.path() / "shards/train-00000.h5";
  RandomAccessFile(shard).will_not_need(0, fs::file_size(shard));  // written a moment ago, so it was cached
  const std::int64_t before = locked_bytes();
  const LockedShards locked(folder_.path(), manifest_, splits_);
  EXPECT_EQ(locked.bytes(), shard_bytes(manifest_, splits_));
  EXPECT_EQ(cached_pages(shard), (fs::file_size(shard) + 4095) / 4096);
  if (!locked.locked()) GTEST_SKIP() << "this process may not lock memory (ulimit -l)";
  EXPECT_GE(locked_bytes() - before, locked.bytes());
}

TEST_F(ShardAccess, LockingSaysWhenThereIsTooLittleMemory) {
  EXPECT_GT(available_memory_bytes(), std::int64_t{1} << 20);
  manifest_.splits[0].shards[0].bytes = std::int64_t{1} << 60;
  try {
    LockedShards(folder_.path(), manifest_, splits_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("--cache page"), std::string::npos) << error.what();
  }
}

TEST_F(ShardAccess, ForgetsWhatWasReadIfToldTo) {
  const fs::path shard = folder_.path() / "shards/train-00000.h5";
  std::vector<std::uint8_t> bytes(32 * 32 * 3);
  for (const CachePolicy policy : {CachePolicy::page, CachePolicy::none}) {
    const DataSplit split(folder_.path(), manifest_, "train", policy);
    for (std::int64_t position = 0; position < 20; ++position) {
      split.read(position, bytes);
      split.has_read(position);
    }
    const std::size_t pages = cached_pages(shard), all = (fs::file_size(shard) + 4095) / 4096;
    if (policy == CachePolicy::page) {
      EXPECT_EQ(pages, all);
    } else if (pages == all) {
      GTEST_SKIP() << "this file system keeps its pages whatever it is told (it lies in memory)";
    } else {
      EXPECT_LT(pages, all / 2);
    }
  }
}

}  // namespace
}  // namespace lockstep
