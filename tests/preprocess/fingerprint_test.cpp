#include "preprocess/fingerprint.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <opencv2/imgproc.hpp>

#include "preprocess/image_files.hpp"
#include "preprocess/shard_record.hpp"
#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

ImageFingerprint print_of(const cv::Mat& pixels) { return take_fingerprint({pixels, pixels.cols, pixels.rows, {}}); }

int bits_apart(const ImageFingerprint& a, const ImageFingerprint& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.look.size(); ++i) bits += std::popcount(a.look[i] ^ b.look[i]);
  return bits;
}

/// Smooth noise: as many forms as seeds, none of them regular.
cv::Mat scene(int seed, cv::Size size, int type = CV_8UC3) {
  cv::RNG draws(static_cast<std::uint64_t>(seed));
  cv::Mat coarse(24, 24, type), picture;
  draws.fill(coarse, cv::RNG::UNIFORM, 0, 256);
  cv::resize(coarse, picture, size, 0, 0, cv::INTER_CUBIC);
  return picture;
}

TEST(Fingerprint, LooksAreTheSignsOfTheCosineTransform) {
  const cv::Mat picture = scene(1, {64, 96}, CV_8UC1);
  cv::Mat cells, frequencies;
  picture.convertTo(cells, CV_32F);
  cv::resize(cells, cells, {32, 32}, 0, 0, cv::INTER_AREA);  // 2 × 3 pixels to a cell
  cv::dct(cells, frequencies);
  const ImageFingerprint print = print_of(picture);
  for (int v = 0; v < 16; ++v) {
    for (int u = 0; u < 16; ++u) {
      const auto word = static_cast<std::size_t>(v / 8 * 2 + u / 8);
      const bool bit = (print.look[word] >> (v % 8 * 8 + u % 8) & 1) != 0;
      const float value = frequencies.at<float>(v, u);
      if (std::abs(value) < 1) continue;  // may round to either side
      EXPECT_EQ(bit, value > 0 && u + v > 0) << u << ", " << v;
    }
  }
}

TEST(Fingerprint, OtherSizesAndAspectsLookAlikeOtherScenesDoNot) {
  for (int seed = 0; seed < 20; ++seed) {
    const cv::Mat picture = scene(seed, {400, 300});
    for (const cv::Size size : {cv::Size(800, 600), cv::Size(200, 150), cv::Size(133, 177), cv::Size(64, 64)}) {
      cv::Mat other;
      cv::resize(picture, other, size, 0, 0, cv::INTER_AREA);
      EXPECT_LT(bits_apart(print_of(picture), print_of(other)), 30) << seed << " " << size;
    }
    EXPECT_GT(bits_apart(print_of(picture), print_of(scene(seed + 100, {400, 300}))), 80) << seed;
  }
}

TEST(Fingerprint, ChannelsHaveTheirMeansAndRange) {
  cv::Mat picture(70, 50, CV_8UC3, cv::Scalar(10, 20, 30));
  picture.rowRange(35, 70).setTo(cv::Scalar(110, 20, 90));
  picture.at<cv::Vec3b>(69, 49) = {7, 19, 255};
  const ImageFingerprint print = print_of(picture);
  EXPECT_EQ(print.mean, (std::array<std::uint8_t, 3>{60, 20, 60}));
  EXPECT_EQ(print.least, (std::array<std::uint8_t, 3>{7, 19, 30}));
  EXPECT_EQ(print.most, (std::array<std::uint8_t, 3>{110, 20, 255}));
  EXPECT_GT(print.contrast, 17);
  EXPECT_LT(print.contrast, 20);
}

TEST(Fingerprint, ConstantPicturesOfAnySizeHaveNoContrastAndNoLook) {
  for (const cv::Size size :
       {cv::Size(1, 1), cv::Size(1, 5000), cv::Size(4000, 1), cv::Size(28, 28), cv::Size(33, 9000)}) {
    for (const int type : {CV_8UC1, CV_8UC3}) {
      const ImageFingerprint print = print_of(cv::Mat(size, type, cv::Scalar::all(200)));
      EXPECT_EQ(print.contrast, 0) << size;
      EXPECT_EQ(print.least[0], 200) << size;
      EXPECT_EQ(print.most[0], 200) << size;
      EXPECT_EQ(print.mean[0], 200) << size;
      EXPECT_EQ(print.mean[1], type == CV_8UC1 ? 0 : 200) << size;
    }
  }
}

TEST(Fingerprint, ARangeIsOfAllPixelsWhereverTheyLie) {
  for (const int width : {1, 15, 16, 17, 100}) {
    for (int x = 0; x < width; ++x) {
      cv::Mat picture(9, width, CV_8UC3, cv::Scalar(100, 101, 102));
      picture.at<cv::Vec3b>(x % 9, x) = {3, 200, 4};
      const ImageFingerprint print = print_of(picture);
      EXPECT_EQ(print.least[0], 3);
      EXPECT_EQ(print.most[1], 200);
      EXPECT_EQ(print.least[2], 4);
    }
  }
}

TEST(Fingerprint, AFilesBytesAreKnownByTheirDigest) {
  const TemporaryFolder folder;
  const auto file = folder.file("a.png", encoded(".png", {40, 30}, 7));
  const Picture picture = read_picture(file, {3, 0, {}});
  const ImageFingerprint print = take_fingerprint(picture);
  EXPECT_EQ(print.bytes, static_cast<std::int64_t>(std::filesystem::file_size(file)));
  // xxhsum -H1 of the three letters, seed 0
  EXPECT_EQ(source_bytes(std::array<std::uint8_t, 3>{'a', 'b', 'c'}).digest, 0x44BC2CF5AD770999u);
  EXPECT_EQ(print.content, picture.source.digest);
}

TEST(Fingerprint, TravelsBetweenRanksUnchanged) {
  ShardRecord record;
  record.shard = 3;
  const cv::Mat pixels = scene(5, {90, 40});
  record.outcomes = {{90, 40, "", take_fingerprint({pixels, 90, 40, {1234567890123, 0xFEDCBA9876543210u}})},
                     {0, 0, "damaged", {}}};
  const ShardRecord arrived = ShardRecord::from_bytes(record.to_bytes());
  ASSERT_EQ(arrived.outcomes.size(), 2u);
  EXPECT_EQ(arrived.outcomes[0].fingerprint, record.outcomes[0].fingerprint);
  EXPECT_EQ(arrived.outcomes[1].fingerprint, ImageFingerprint{});
  EXPECT_EQ(arrived.outcomes[1].refusal, "damaged");
}

}  // namespace
}  // namespace lockstep::preprocess
