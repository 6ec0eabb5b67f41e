#include "lockstep/data/shard.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/hdf5.hpp"

namespace lockstep {
namespace {
namespace fs = std::filesystem;

constexpr ImageShape shape{5, 7, 3};

class ShardTest : public ::testing::Test {
 protected:
  ShardTest() : folder_(fs::path(::testing::TempDir()) / ("shard_" + test_name() + "_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~ShardTest() override { fs::remove_all(folder_); }

  static std::string test_name() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

  static std::vector<std::uint8_t> image(std::int64_t index) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(shape.bytes()));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(index * 31 + static_cast<int>(i));
    return bytes;
  }
  ShardEntry write(const std::string& name, std::int64_t samples) const {
    ShardIndex index;
    for (std::int64_t i = 0; i < samples; ++i) index.add(static_cast<std::int32_t>(i % 4) - 1, 100 + i);
    ShardWriter writer(folder_ / name, index, {shape});
    for (std::int64_t i = 0; i < samples; ++i) writer.add(image(i));
    return writer.finish();
  }
  std::string failure(const std::string& name, const ShardEntry& entry, ImageShape expected = shape,
                      int classes = 3) const {
    try {
      Shard(folder_ / name, entry, {expected}, classes);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  void overwrite(const std::string& name, std::uint64_t offset, const std::string& bytes) const {
    std::fstream file(folder_ / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }

  fs::path folder_;
};

TEST_F(ShardTest, ReturnsWhatWasWritten) {
  const ShardEntry entry = write("a.h5", 9);
  EXPECT_EQ(entry.file, "a.h5");
  EXPECT_EQ(entry.bytes, static_cast<std::int64_t>(fs::file_size(folder_ / "a.h5")));
  const Shard shard(folder_ / "a.h5", entry, {shape}, 3);
  ASSERT_EQ(shard.samples(), 9);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(shape.bytes()));
  for (std::int64_t i = 0; i < 9; ++i) {
    shard.read(i, bytes);
    EXPECT_EQ(bytes, image(i));
    EXPECT_EQ(shard.label(i), i % 4 - 1);
    EXPECT_EQ(shard.id(i), 100 + i);
  }
  Shard::verify(folder_ / "a.h5", entry);
}

TEST_F(ShardTest, EqualInputGivesEqualBytes) {
  write("a.h5", 1000);
  write("b.h5", 1000);
  EXPECT_EQ(read_file(folder_ / "a.h5"), read_file(folder_ / "b.h5"));
}

TEST_F(ShardTest, LargeImageBlocksStartOnAPage) {
  write("a.h5", 100);
  EXPECT_EQ(hdf5::File::open(folder_ / "a.h5").layout("images").offset.value() % 4096, 0u);
}

TEST_F(ShardTest, ManyThreadsReadAtOnce) {
  const ShardEntry entry = write("a.h5", 64);
  const Shard shard(folder_ / "a.h5", entry, {shape}, 3);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(shape.bytes()));
      for (std::int64_t i = 0; i < 640; ++i) {
        shard.read((i * 7 + static_cast<std::int64_t>(t)) % 64, bytes);
        wrong[t] += bytes != image((i * 7 + static_cast<std::int64_t>(t)) % 64);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST_F(ShardTest, UnfinishedWriterLeavesNothing) {
  {
    ShardWriter writer(folder_ / "a.h5", {{0, 0}, {0, 1}, {}, {0}}, {shape});
    writer.add(image(0));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ShardTest, WrongNumberOfSamplesIsADefect) {
  ShardWriter writer(folder_ / "a.h5", {{0, 0}, {0, 1}, {}, {0}}, {shape});
  writer.add(image(0));
  EXPECT_THROW(writer.finish(), Error);
  writer.add(image(1));
  EXPECT_THROW(writer.add(image(2)), Error);
  EXPECT_NO_THROW(writer.finish());
}

TEST_F(ShardTest, AnIndexThatDoesNotFitIsADefect) {
  const auto refuses = [&](const ShardIndex& index, const ShardFormat& format) {
    EXPECT_THROW(ShardWriter(folder_ / "a.h5", index, format), Error);
    EXPECT_TRUE(fs::is_empty(folder_));
  };
  refuses({}, {shape});
  refuses({{0, 0}, {0}, {}, {0}}, {shape});
  refuses({{0, 0}, {0, 1}, {1, 1}, {0}}, {shape});
  refuses({{0, 0}, {0, 1}, {1}, {0}}, {shape, Store::raw, true});
  refuses({{0, 0}, {0, 1}, {}, {0, 3}}, {shape, Store::jpeg, false});
  refuses({{0, 0}, {0, 1}, {}, {0, 3, 3}}, {shape, Store::jpeg, false});
}

TEST_F(ShardTest, CutShortIsNamed) {
  const ShardEntry entry = write("a.h5", 9);
  fs::resize_file(folder_ / "a.h5", static_cast<std::uintmax_t>(entry.bytes / 2));
  EXPECT_NE(failure("a.h5", entry).find("the file was cut short"), std::string::npos) << failure("a.h5", entry);
  EXPECT_THROW(Shard::verify(folder_ / "a.h5", entry), Error);
}

TEST_F(ShardTest, CutShortIsFoundByHdf5EvenIfTheManifestAgrees) {
  ShardEntry entry = write("a.h5", 900);
  entry.bytes /= 2;
  fs::resize_file(folder_ / "a.h5", static_cast<std::uintmax_t>(entry.bytes));
  EXPECT_NE(failure("a.h5", entry).find("truncated"), std::string::npos) << failure("a.h5", entry);
}

TEST_F(ShardTest, OtherShapeOrClassesAreRefused) {
  const ShardEntry entry = write("a.h5", 9);
  EXPECT_NE(failure("a.h5", entry, {5, 7, 1}).find("uint8 [9, 5, 7, 3], the manifest says uint8 [9, 5, 7, 1]"),
            std::string::npos)
      << failure("a.h5", entry, {5, 7, 1});
  EXPECT_NE(failure("a.h5", entry, shape, 2).find("label 2 of sample 3, −1 to 1 expected"), std::string::npos);
  ShardEntry more = entry;
  more.samples = 10;
  EXPECT_NE(failure("a.h5", more).find("int32 [9], the manifest says int32 [10]"), std::string::npos);
}

TEST_F(ShardTest, OtherVersionIsRefusedWithBothVersions) {
  {
    hdf5::File file = hdf5::File::create(folder_ / "a.h5");
    file.write_attribute("format_version", 99);
    file.close();
  }
  const ShardEntry entry{"a.h5", 1, static_cast<std::int64_t>(fs::file_size(folder_ / "a.h5")), "0000000000000000"};
  EXPECT_NE(failure("a.h5", entry).find("format version 99, this program reads 1 to 2"), std::string::npos);
}

TEST_F(ShardTest, SomethingElseIsNotHdf5) {
  write_file_atomically(folder_ / "a.h5", std::string(500, 'x'));
  const std::string text = failure("a.h5", {"a.h5", 1, 500, ""});
  EXPECT_NE(text.find("cannot open as HDF5"), std::string::npos) << text;
}

TEST_F(ShardTest, AFlippedBitIsFoundByVerify) {
  const ShardEntry entry = write("a.h5", 9);
  overwrite("a.h5", static_cast<std::uint64_t>(entry.bytes) - 3, "!");
  EXPECT_EQ(failure("a.h5", entry), "no error");
  EXPECT_THROW(Shard::verify(folder_ / "a.h5", entry), Error);
}

TEST_F(ShardTest, DamageAnywhereIsAnErrorOrHarmlessButNeverACrash) {
  const ShardEntry entry = write("a.h5", 9);
  const std::string good = read_file(folder_ / "a.h5");
  const std::size_t structure = hdf5::File::open(folder_ / "a.h5").layout("labels").offset.value();
  for (std::size_t at = 0; at < structure; at += 5) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0xFF);
    std::ofstream(folder_ / "bad.h5", std::ios::binary) << bad;
    failure("bad.h5", entry);
  }
}

TEST_F(ShardTest, MissingFileIsNamed) { EXPECT_NE(failure("none.h5", {}).find("none.h5"), std::string::npos); }

/// No more than `bytes` may be written to a file: the same way out of HDF5 and pwrite as a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ShardTest, NoRoomForTheFileIsAnErrorAndLeavesNothing) {
  for (const rlim_t room : {rlim_t{0}, rlim_t{100}, rlim_t{3000}, rlim_t{20000}}) {
    const FileSizeLimit limit(room);
    EXPECT_THROW(write("a.h5", 9000), Error) << room;
    EXPECT_TRUE(fs::is_empty(folder_)) << room;
  }
  write("a.h5", 9000);
}

}  // namespace
}  // namespace lockstep
