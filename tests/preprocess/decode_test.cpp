#include "preprocess/decode.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgproc.hpp>
#include <sstream>

#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

Picture decode(const std::string& file, int channels = 3, int least_side = 0) {
  return decode_image({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, {channels, least_side});
}

std::string refusal(const std::string& file) {
  try {
    decode(file);
  } catch (const Refusal& reason) {
    return reason.what();
  }
  return "no refusal";
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * static_cast<std::size_t>(a.channels()));
}

TEST(Decode, AllFormatsGiveTheSamePixels) {
  const cv::Mat expected = decode(encoded(".png", {40, 30}, 9)).pixels;
  EXPECT_EQ(expected.at<cv::Vec3b>(2, 10), cv::Vec3b(10, 30, 9)) << "RGB";
  for (const char* extension : {".bmp", ".ppm"}) {
    const Picture picture = decode(encoded(extension, {40, 30}, 9));
    EXPECT_EQ(mean_difference(picture.pixels, expected), 0) << extension;
    EXPECT_EQ(picture.width, 40);
    EXPECT_EQ(picture.height, 30);
  }
  EXPECT_LT(mean_difference(decode(encoded(".jpg", {40, 30}, 9)).pixels, expected), 4);
  EXPECT_LT(mean_difference(decode(encoded(".webp", {40, 30}, 9)).pixels, expected), 4);
}

TEST(Decode, GreyFromColourIsTheSameWeightingForAllFormats) {
  for (const char* extension : {".png", ".bmp", ".ppm", ".jpg", ".webp"}) {
    const std::string file = encoded(extension, {64, 48}, 90);
    cv::Mat expected;
    cv::cvtColor(decode(file).pixels, expected, cv::COLOR_RGB2GRAY);
    const cv::Mat grey = decode(file, 1).pixels;
    ASSERT_EQ(grey.type(), CV_8UC1);
    EXPECT_LT(mean_difference(grey, expected), 1) << extension;
  }
}

TEST(Decode, LargeJpegsAreReducedButNotBelowTheSideAsked) {
  const std::string file = encoded(".jpg", {640, 480}, 9);
  const Picture picture = decode(file, 3, 100);
  EXPECT_EQ(picture.pixels.size(), cv::Size(160, 120));
  EXPECT_EQ(picture.width, 640);
  EXPECT_EQ(decode(file, 3, 300).pixels.size(), cv::Size(640, 480));
}

TEST(Decode, AnyCutOfAnyFormatIsRefused) {
  for (const char* extension : {".png", ".jpg", ".bmp", ".ppm", ".webp"}) {
    const std::string file = encoded(extension, {40, 30}, 9);
    for (std::size_t length = 0; length < file.size(); length += 1 + file.size() / 97) {
      EXPECT_NE(refusal(file.substr(0, length)), "no refusal")
          << extension << " cut at " << length << " of " << file.size();
    }
  }
}

TEST(Decode, DamageNeverCrashes) {
  for (const char* extension : {".png", ".jpg", ".bmp", ".ppm", ".webp"}) {
    const std::string file = encoded(extension, {40, 30}, 9);
    for (std::size_t at = 0; at < file.size(); at += 1 + file.size() / 211) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x5A);
      refusal(damaged);
    }
  }
}

TEST(Decode, ReasonsAreSentences) {
  EXPECT_EQ(refusal(""), "an empty file");
  EXPECT_EQ(refusal("hello"), "not an image of a known format");
  EXPECT_EQ(refusal("GIF89a...."), "GIF is not supported: convert it to PNG or JPEG");
  const std::string jpeg = encoded(".jpg", {40, 30}, 9);
  EXPECT_EQ(refusal(jpeg.substr(0, jpeg.size() - 40)), "JPEG: Premature end of JPEG file");
  EXPECT_EQ(refusal("P6 99999 99999 255\n"), "99999 × 99999 pixels, at most 100 million are accepted (--max-pixels)");
}

/// A JPEG with an EXIF block that says `orientation`.
std::string oriented(const std::string& jpeg, char orientation) {
  const std::string tiff =
      std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) + orientation + std::string(6, '\0');
  const std::string segment = std::string("Exif\0\0", 6) + tiff;
  const std::string marker = {'\xFF', '\xE1', 0, static_cast<char>(segment.size() + 2)};
  return jpeg.substr(0, 2) + marker + segment + jpeg.substr(2);
}

TEST(Decode, ExifOrientationIsApplied) {
  const std::string jpeg = encoded(".jpg", {48, 32}, 9);
  const cv::Mat upright = decode(jpeg).pixels;
  for (char orientation = 0; orientation <= 9; ++orientation) {
    const Picture picture = decode(oriented(jpeg, orientation));
    const bool sideways = orientation >= 5 && orientation <= 8;
    EXPECT_EQ(picture.pixels.size(), sideways ? cv::Size(32, 48) : cv::Size(48, 32)) << int{orientation};
    EXPECT_EQ(picture.width, picture.pixels.cols);
  }
  // Where the first stored pixel ends up, from the table in the standard: row 0, column 0 of the stored picture.
  const auto corner = [&](char orientation, int row, int column) {
    const cv::Mat pixels = decode(oriented(jpeg, orientation)).pixels;
    EXPECT_EQ(pixels.at<cv::Vec3b>((row + pixels.rows) % pixels.rows, (column + pixels.cols) % pixels.cols),
              upright.at<cv::Vec3b>(0, 0))
        << int{orientation};
  };
  corner(1, 0, 0);
  corner(2, 0, -1);
  corner(3, -1, -1);
  corner(4, -1, 0);
  corner(5, 0, 0);
  corner(6, 0, -1);
  corner(7, -1, -1);
  corner(8, -1, 0);
}

TEST(Decode, WhatOnlyLooksLikeWebpOrHidesDicomIsRefused) {
  const std::string webp = encoded(".webp", {90, 70}, 50);
  EXPECT_EQ(refusal(webp), "no refusal");
  EXPECT_CONTAINS(refusal("RIFX" + webp.substr(4)), "RIFF");
  std::string hidden = webp;
  hidden.resize(std::max<std::size_t>(hidden.size(), 200), ' ');
  EXPECT_CONTAINS(refusal(hidden.replace(128, 4, "DICM")), "DICOM");
  std::string pnm = "P5 10 20 255\n" + std::string(200, 'x');
  EXPECT_EQ(refusal(pnm), "no refusal");
  EXPECT_CONTAINS(refusal(pnm.replace(128, 4, "DICM")), "DICOM");
}

TEST(Decode, OddImagesAsTheirManifestExpects) {
  const auto folder = test_data("odd-images");
  if (!folder) GTEST_SKIP() << "no odd-images: set LOCKSTEP_TEST_DATA";
  std::ifstream manifest(*folder / "MANIFEST.tsv");
  std::string line;
  std::getline(manifest, line);
  int seen = 0;
  while (std::getline(manifest, line)) {
    std::stringstream fields(line);
    std::string file, oddity, expected;
    std::getline(fields, file, '\t');
    std::getline(fields, oddity, '\t');
    std::getline(fields, expected, '\t');
    const std::string found = refusal(read_file(*folder / file));
    const bool good = found == "no refusal";
    const bool may_decode = expected.find("ok") != std::string::npos || file.ends_with(".webp");  // which we support
    const bool may_refuse = !expected.starts_with("ok") || expected.starts_with("ok-or");
    EXPECT_TRUE(good ? may_decode : may_refuse)
        << file << " (" << oddity << "), expected " << expected << ": " << found;
    ++seen;
  }
  EXPECT_GT(seen, 70);
}

}  // namespace
}  // namespace lockstep::preprocess
