#include "lockstep/data/image_table.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/hdf5.hpp"

namespace lockstep {
namespace {
namespace fs = std::filesystem;

class ImageTableTest : public ::testing::Test {
 protected:
  ImageTableTest() : folder_(fs::path(::testing::TempDir()) / ("image_table_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~ImageTableTest() override { fs::remove_all(folder_); }

  static std::vector<ImageRow> rows(int count) {
    std::vector<ImageRow> rows;
    for (int i = 0; i < count; ++i) {
      const bool good = i % 3 != 0;
      rows.push_back({"class " + std::to_string(i % 7) + "/\u00fcber-" + std::to_string(i) + ".jpg",
                      good ? "train" : "", i % 7, i * 10, i, good ? ImageStatus::ok : ImageStatus::refused,
                      good ? "" : "cut short"});
      if (good) rows.back().fingerprint = fingerprint(i);
    }
    return rows;
  }

  /// Different in every number.
  static ImageFingerprint fingerprint(int i) {
    const auto wide = [&](std::uint64_t n) { return (n + 1) * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(i); };
    const auto byte = [&](int n) { return static_cast<std::uint8_t>(n * 20 + i); };
    return {i + 1,
            wide(0),
            {wide(1), wide(2), wide(3), wide(4)},
            {byte(1), byte(2), byte(3)},
            {byte(4), byte(5), byte(6)},
            {byte(7), byte(8), byte(9)},
            byte(10)};
  }

  fs::path folder_;
};

TEST_F(ImageTableTest, RoundTripOfManyAndOfNone) {
  for (const int count : {0, 1, 5000}) {
    write_image_table(folder_ / image_table_name, rows(count));
    EXPECT_EQ(read_image_table(folder_ / image_table_name), rows(count)) << count;
  }
}

TEST_F(ImageTableTest, TablesWithoutFingerprintsAreRead) {
  hdf5::File old = hdf5::File::create(folder_ / "old.h5");
  for (const char* name : {"path", "split", "reason"}) old.write(name, std::vector{"x", "y"});
  old.write("status", std::vector{"ok", "duplicate"});
  for (const char* name : {"label", "width", "height"}) old.write(name, std::vector<std::int32_t>{1, 2});
  old.close();
  const auto read = read_image_table(folder_ / "old.h5");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1], (ImageRow{"y", "y", 2, 2, 2, ImageStatus::duplicate, "y", {}, 0}));
  EXPECT_FALSE(read[1].fingerprint.taken());
}

TEST_F(ImageTableTest, UnknownStatusesAndColumnsOfOtherLengthsAreErrors) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{"ok", "lost"}, "status 'lost'"},
      {{"ok"}, "columns of 2 and 1 rows"},
      {{"ok", "ok", "ok"}, "columns of 2 and 3"}};
  for (const auto& [statuses, message] : cases) {
    hdf5::File table = hdf5::File::create(folder_ / "odd.h5");
    for (const char* name : {"path", "split", "reason"}) table.write(name, std::vector{"x", "y"});
    for (const char* name : {"label", "width", "height"}) table.write(name, std::vector<std::int32_t>{1, 2});
    table.write("status", statuses);
    table.close();
    try {
      read_image_table(folder_ / "odd.h5");
      ADD_FAILURE() << message;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
    }
  }
}

TEST_F(ImageTableTest, RowsShareEqualSplitsAndReasons) {
  static_assert(sizeof(ImageRow) == 112);
  write_image_table(folder_ / "a.h5", rows(20));
  const std::vector<ImageRow> read = read_image_table(folder_ / "a.h5");
  EXPECT_EQ(read[1].split.view().data(), read[2].split.view().data());
  EXPECT_EQ(read[0].reason.view().data(), read[3].reason.view().data());
}

TEST_F(ImageTableTest, AFingerprintWithoutAllItsNumbersIsAnError) {
  for (const std::vector<std::int64_t>& bytes : {std::vector<std::int64_t>{1, 2}, std::vector<std::int64_t>{1}}) {
    hdf5::File table = hdf5::File::create(folder_ / "odd.h5");
    for (const char* name : {"path", "split", "reason"}) table.write(name, std::vector{"x", "y"});
    table.write("status", std::vector{"ok", "ok"});
    for (const char* name : {"label", "width", "height"}) table.write(name, std::vector<std::int32_t>{1, 2});
    table.write("content", std::vector<std::int64_t>{1, 2});
    table.write("bytes", bytes);
    table.close();
    EXPECT_THROW(read_image_table(folder_ / "odd.h5"), Error);
  }
}

TEST_F(ImageTableTest, DamagedTextsAreAnErrorWhereverTheirBytesAreWrong) {
  write_image_table(folder_ / "a.h5", rows(40));
  const std::string whole = read_file(folder_ / "a.h5");
  std::size_t heap = whole.find("GCOL");
  int heaps = 0;
  for (; heap != std::string::npos; heap = whole.find("GCOL", heap + 1), ++heaps) {
    // Its signature; its size; number and size of the first text in it: other texts at the most, if no error.
    for (const std::size_t at : {heap, heap + 8, heap + 14, heap + 16, heap + 24, heap + 31}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x5A);
      write_file_atomically(folder_ / "b.h5", damaged);
      bool refused = false;
      try {
        EXPECT_EQ(read_image_table(folder_ / "b.h5").size(), 40u);
      } catch (const Error&) {
        refused = true;
      }
      EXPECT_TRUE(refused || at != heap);
    }
  }
  EXPECT_GT(heaps, 0);
}

TEST_F(ImageTableTest, EqualRowsGiveEqualBytes) {
  write_image_table(folder_ / "a.h5", rows(3000));
  write_image_table(folder_ / "b.h5", rows(3000));
  EXPECT_EQ(read_file(folder_ / "a.h5"), read_file(folder_ / "b.h5"));
}

TEST_F(ImageTableTest, CutShortOrSomethingElseIsAnError) {
  write_image_table(folder_ / "a.h5", rows(100));
  fs::resize_file(folder_ / "a.h5", fs::file_size(folder_ / "a.h5") / 2);
  EXPECT_THROW(read_image_table(folder_ / "a.h5"), Error);
  write_file_atomically(folder_ / "b.h5", "not a table");
  EXPECT_THROW(read_image_table(folder_ / "b.h5"), Error);
  EXPECT_THROW(read_image_table(folder_ / "none.h5"), Error);
}

}  // namespace
}  // namespace lockstep
