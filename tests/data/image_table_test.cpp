#include "lockstep/data/image_table.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"

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
                      good ? "train" : "", i % 7, i * 10, i, good ? "ok" : "refused", good ? "" : "cut short"});
    }
    return rows;
  }

  fs::path folder_;
};

TEST_F(ImageTableTest, RoundTripOfManyAndOfNone) {
  for (const int count : {0, 1, 5000}) {
    write_image_table(folder_ / image_table_name, rows(count));
    EXPECT_EQ(read_image_table(folder_ / image_table_name), rows(count)) << count;
  }
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
