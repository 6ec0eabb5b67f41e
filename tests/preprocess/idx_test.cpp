#include "preprocess/idx.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

std::string number(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}
std::string images(std::uint32_t count, std::uint32_t height = 3, std::uint32_t width = 2) {
  std::string bytes = number(0x803) + number(count) + number(height) + number(width);
  for (std::uint32_t i = 0; i < count * height * width; ++i) bytes += static_cast<char>(i);
  return bytes;
}
std::string labels(std::uint32_t count) {
  std::string bytes = number(0x801) + number(count);
  for (std::uint32_t i = 0; i < count; ++i) bytes += static_cast<char>(i % 4);
  return bytes;
}
void write_gzip(const std::filesystem::path& file, const std::string& content) {
  const gzFile out = gzopen(file.c_str(), "wb");
  gzwrite(out, content.data(), static_cast<unsigned>(content.size()));
  gzclose(out);
}

constexpr const char* train_images = "train-images-idx3-ubyte";
constexpr const char* train_labels = "train-labels-idx1-ubyte";

class IdxTest : public ::testing::Test {
 protected:
  std::string failure() const {
    return failure_of([&] { IdxSource source(folder_.path()); });
  }
  TemporaryFolder folder_;
};

TEST_F(IdxTest, ReadsPlainAndGzippedPairs) {
  folder_.file(train_images, images(5));
  write_gzip(folder_ / "train-labels-idx1-ubyte.gz", labels(5));
  write_gzip(folder_ / "t10k-images-idx3-ubyte.gz", images(2));
  folder_.file("t10k-labels.idx1-ubyte", labels(2));
  IdxSource source(folder_.path());
  const Listing listing = source.list();
  ASSERT_EQ(listing.candidates.size(), 7u);
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(listing.height, 3);
  EXPECT_EQ(listing.width, 2);
  EXPECT_EQ(listing.candidates[4], (Candidate{"train:4", "train", "", 0}));
  EXPECT_EQ(listing.candidates[6], (Candidate{"t10k:1", "test", "", 1}));
  const cv::Mat grey = source.picture(4, listing.candidates[4], {1, 0, {}}).pixels;
  EXPECT_EQ(grey.at<std::uint8_t>(2, 1), 4 * 6 + 5);
  const cv::Mat colour = source.picture(6, listing.candidates[6], {3, 0, {}}).pixels;
  EXPECT_EQ(colour.at<cv::Vec3b>(0, 1), cv::Vec3b(7, 7, 7));
}

TEST_F(IdxTest, MissingFilesAreNamed) {
  EXPECT_CONTAINS(failure(), "no train-images-idx3-ubyte");
  folder_.file(train_images, images(5));
  EXPECT_CONTAINS(failure(), "no train-labels-idx1-ubyte");
  EXPECT_CONTAINS(failure_of([&] { IdxSource source(folder_ / "none"); }), "no such folder");
}

TEST_F(IdxTest, WrongMagicSaysBoth) {
  folder_.file(train_images, labels(5));
  folder_.file(train_labels, labels(5));
  EXPECT_CONTAINS(failure(), "0x00000801, 0x00000803");
  folder_.file(train_images, "ab");
  EXPECT_CONTAINS(failure(), "magic number");
}

TEST_F(IdxTest, CutShortOrTooLongIsAnError) {
  folder_.file(train_labels, labels(5));
  folder_.file(train_images, images(5).substr(0, 40));
  EXPECT_CONTAINS(failure(), "cut short: 24 elements, its header says 30");
  folder_.file(train_images, images(5).substr(0, 9));
  EXPECT_CONTAINS(failure(), "ends inside its header");
  folder_.file(train_images, images(5) + "x");
  EXPECT_CONTAINS(failure(), "more than the 30 elements");
}

TEST_F(IdxTest, CutOrDamagedGzipIsAnError) {
  folder_.file(train_labels, labels(5));
  write_gzip(folder_ / "train-images-idx3-ubyte.gz", images(5000));
  const std::string good = read_file(folder_ / "train-images-idx3-ubyte.gz");
  folder_.file("train-images-idx3-ubyte.gz", good.substr(0, good.size() / 2));
  EXPECT_CONTAINS(failure(), "cut short");
  std::string bad = good;
  bad[good.size() / 2] = static_cast<char>(bad[good.size() / 2] ^ 0xFF);
  bad[good.size() / 2 + 1] = static_cast<char>(bad[good.size() / 2 + 1] ^ 0xFF);
  folder_.file("train-images-idx3-ubyte.gz", bad);
  EXPECT_NE(failure(), "no error");
}

TEST_F(IdxTest, TooLargeImagesAreAnErrorThatNamesTheOption) {
  folder_.file(train_images, images(2));
  folder_.file(train_labels, labels(2));
  PackSettings settings;
  settings.source = SourceKind::idx;
  settings.input = folder_.path();
  settings.most_pixels = 6;
  EXPECT_EQ(failure_of([&] { make_source(settings); }), "no error");
  settings.most_pixels = 5;
  const std::string failure = failure_of([&] { make_source(settings); });
  EXPECT_CONTAINS(failure, "2 × 3 pixels");
  EXPECT_CONTAINS(failure, "raise --max-pixels");
  EXPECT_CONTAINS(failure, train_images);
}

TEST_F(IdxTest, CountsMustAgree) {
  folder_.file(train_images, images(5));
  folder_.file(train_labels, labels(6));
  EXPECT_CONTAINS(failure(), "5 images, but 6 labels");
}

TEST_F(IdxTest, AHugeHeaderAllocatesNothing) {
  folder_.file(train_images, number(0x803) + number(0xFFFFFFFF) + number(0xFFFFFFFF) + number(0xFFFFFFFF));
  folder_.file(train_labels, labels(5));
  EXPECT_CONTAINS(failure(), "an axis of");
  folder_.file(train_images, number(0x803) + number(60000) + number(4000) + number(4000) + "few");
  EXPECT_CONTAINS(failure(), "cut short: 3 elements");
}

TEST_F(IdxTest, TrainingAndTestMustHaveOneSize) {
  folder_.file(train_images, images(5));
  folder_.file(train_labels, labels(5));
  folder_.file("t10k-images-idx3-ubyte", images(2, 4, 4));
  folder_.file("t10k-labels-idx1-ubyte", labels(2));
  EXPECT_CONTAINS(failure(), "images of 2 × 3 and of 4 × 4 pixels");
}

}  // namespace
}  // namespace lockstep::preprocess
