// Pictures that core/png.hpp writes, read by OpenCV and by libpng through the decoder of packing.
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "lockstep/core/draws.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/png.hpp"
#include "preprocess/decode.hpp"

namespace lockstep::preprocess {
namespace {

enum class Content { flat, gradient, noise };

lockstep::Picture made(std::int64_t height, std::int64_t width, std::int64_t channels, Content content) {
  lockstep::Picture picture{height, width, channels, {}};
  Draws draws(7, Purpose::generated_images, static_cast<std::uint64_t>(height), static_cast<std::uint64_t>(width));
  for (std::int64_t i = 0; i < height * width * channels; ++i) {
    const std::int64_t level = content == Content::flat       ? 200
                               : content == Content::gradient ? i / channels % width + i / (channels * width)
                                                              : static_cast<std::int64_t>(draws.below(256));
    picture.pixels.push_back(static_cast<std::uint8_t>(level));
  }
  return picture;
}

bool same(const cv::Mat& read, const lockstep::Picture& written) {
  const cv::Mat expected(static_cast<int>(written.height), static_cast<int>(written.width),
                         CV_8UC(static_cast<int>(written.channels)), const_cast<std::uint8_t*>(written.pixels.data()));
  return read.size() == expected.size() && read.type() == expected.type() && cv::norm(read, expected, cv::NORM_INF) == 0;
}

TEST(WrittenPng, ReadsBackToTheSamePixels) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 9}, {9, 1}, {28, 28}, {33, 64}, {300, 7}}) {
    for (const int channels : {1, 3}) {
      for (const Content content : {Content::flat, Content::gradient, Content::noise}) {
        const lockstep::Picture written = made(height, width, channels, content);
        const std::string file = png_of(written);
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.data());
        cv::Mat by_opencv = cv::imdecode(std::vector<std::uint8_t>(bytes, bytes + file.size()), cv::IMREAD_UNCHANGED);
        if (channels == 3) cv::cvtColor(by_opencv, by_opencv, cv::COLOR_BGR2RGB);
        EXPECT_TRUE(same(by_opencv, written)) << height << " × " << width << " × " << channels;
        EXPECT_TRUE(same(decode_image({bytes, file.size()}, {channels}).pixels, written)) << "checksums and all";
      }
    }
  }
}

TEST(WrittenPng, SmoothPicturesAreSmall) {
  EXPECT_LT(png_of(made(224, 224, 3, Content::gradient)).size(), 224u * 224 * 3 / 50);
}

TEST(WrittenPng, PixelsThatDoNotFitTheSizeAreADefect) {
  EXPECT_THROW(png_of({2, 2, 3, std::vector<std::uint8_t>(11)}), Error);
  EXPECT_THROW(png_of({0, 2, 3, {}}), Error);
  EXPECT_THROW(png_of({2, 2, 2, std::vector<std::uint8_t>(8)}), Error);
}

}  // namespace
}  // namespace lockstep::preprocess
