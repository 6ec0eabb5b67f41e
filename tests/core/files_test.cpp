#include "lockstep/core/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fstream>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

TEST(Files, AtomicWriteReplacesTheWholeContent) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "first content");
  write_file_atomically(folder / "a", "second");
  EXPECT_EQ(read_file(folder / "a"), "second");
  EXPECT_FALSE(std::filesystem::exists(partial_name(folder / "a")));
}

TEST(Files, AFailedWriteLeavesTheOldContentAndNoPartialFile) {
  std::ofstream full("/dev/full");
  if (!full) GTEST_SKIP() << "/dev/full is not there to stand for a full disk";
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", partial_name(folder / "a"));
  try {
    write_file_atomically(folder / "a", std::string(100000, 'x'));
    FAIL() << "a full disk went unnoticed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
    EXPECT_FALSE(error.hint().empty());
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  EXPECT_FALSE(std::filesystem::is_symlink(partial_name(folder / "a")));
}

TEST(Files, ReadingPastTheEndNamesFileAndFix) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "short", "12345");
  const RandomAccessFile file(folder / "short");
  std::array<std::uint8_t, 4> bytes{};
  file.read(1, bytes);
  EXPECT_EQ(bytes[0], '2');
  EXPECT_THROW(file.read(2, bytes), Error);
}

TEST(Files, FoldersAndMissingFilesAreErrors) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_file(folder.path()), Error);
  EXPECT_THROW(read_file(folder / "nothing"), Error);
  write_file_atomically(folder / "big", std::string(100, 'x'));
  EXPECT_THROW(read_file(folder / "big", 99), Error);
}

TEST(Digest, IsXxh64) {
  // Published test values of XXH64 with seed 0.
  EXPECT_EQ(Digest().hex(), "ef46db3751d8e999");
  const std::string abc = "abc";
  EXPECT_EQ(Digest().add(std::span(reinterpret_cast<const std::uint8_t*>(abc.data()), abc.size())).hex(),
            "44bc2cf5ad770999");
}

TEST(Digest, TextsAreKeptApart) {
  EXPECT_NE(Digest().add(std::string_view("ab")).add(std::string_view("c")).value(),
            Digest().add(std::string_view("a")).add(std::string_view("bc")).value());
}

}  // namespace
}  // namespace lockstep
