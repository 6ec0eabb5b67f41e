// Parts of JPEG files against the whole picture as TurboJPEG decodes it.
#include "lockstep/data/jpeg_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/jpeg_files.hpp"

namespace lockstep {
namespace {

using testing::colourful;
using testing::decoded_whole;
using testing::encoded;

constexpr ImageShape photograph{83, 101, 3}, grey{83, 101, 1};  // sides that are no multiple of any block

PixelBox random_part(Draws& draws, std::int64_t height, std::int64_t width) {
  const auto below = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(bound)));
  };
  const std::int64_t top = below(height), left = below(width);
  return {top, left, 1 + below(height - top), 1 + below(width - left)};
}

void expect_part_of_whole(const PixelView& view, const PixelBox& part, const std::vector<std::uint8_t>& whole,
                          std::int64_t width, std::int64_t channels) {
  ASSERT_LE(view.box.top, part.top);
  ASSERT_LE(view.box.left, part.left);
  ASSERT_GE(view.box.top + view.box.height, part.top + part.height);
  ASSERT_GE(view.box.left + view.box.width, part.left + part.width);
  for (std::int64_t y = part.top; y < part.top + part.height; ++y) {
    const std::uint8_t* mine =
        view.pixels + ((y - view.box.top) * view.box.width + part.left - view.box.left) * channels;
    const std::uint8_t* theirs = whole.data() + (y * width + part.left) * channels;
    ASSERT_TRUE(std::equal(mine, mine + part.width * channels, theirs))
        << "row " << y << " of " << part.height << "×" << part.width << " at " << part.top << ", " << part.left;
  }
}

class JpegParts : public ::testing::TestWithParam<int> {};

TEST_P(JpegParts, AreThoseOfTheWholePictureInEveryReduction) {
  const bool is_grey = GetParam() == TJSAMP_GRAY;
  const ImageShape shape = is_grey ? grey : photograph;
  JpegDecoder decoder;  // one for all: what a decode leaves behind must not show in the next
  Draws draws(3, Purpose::generated_images, 1);
  for (const int reduction : {1, 2, 4, 8}) {
    const std::vector<std::uint8_t> file = encoded(colourful(shape, 5), shape, GetParam());
    const std::vector<std::uint8_t> whole = decoded_whole(file, shape, reduction);
    const std::int64_t height = (shape.height + reduction - 1) / reduction;
    const std::int64_t width = (shape.width + reduction - 1) / reduction;
    for (int i = 0; i < 300; ++i) {
      const PixelBox part = random_part(draws, height, width);
      ASSERT_NO_FATAL_FAILURE(
          expect_part_of_whole(decoder.decode(file, shape, part, reduction), part, whole, width, shape.channels))
          << "reduced by " << reduction;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Subsamplings, JpegParts,
                         ::testing::Values(TJSAMP_444, TJSAMP_422, TJSAMP_420, TJSAMP_440, TJSAMP_411, TJSAMP_GRAY));

std::string fault_of(JpegDecoder& decoder, std::span<const std::uint8_t> file, const ImageShape& shape = photograph) {
  try {
    decoder.decode(file, shape, {0, 0, shape.height, shape.width}, 1);
  } catch (const JpegFault& fault) {
    return fault.what();
  }
  return "none";
}

TEST(JpegDecoder, NamesWhatIsWrongAndGoesOnWithTheNextFile) {
  const std::vector<std::uint8_t> good = encoded(colourful(photograph, 1), photograph);
  JpegDecoder decoder;
  EXPECT_EQ(fault_of(decoder, std::span(good).first(good.size() / 2)), "Premature end of JPEG file");
  EXPECT_EQ(fault_of(decoder, good), "none");
  EXPECT_EQ(fault_of(decoder, {}), "Empty input file");
  const std::vector<std::uint8_t> text{'n', 'o', ' ', 'i', 'm', 'a', 'g', 'e'};
  EXPECT_NE(fault_of(decoder, text).find("Not a JPEG file"), std::string::npos);
  std::vector<std::uint8_t> damaged = good;
  std::fill(damaged.begin() + std::ssize(damaged) / 2, damaged.begin() + std::ssize(damaged) / 2 + 40, 0xFE);
  damaged[damaged.size() / 2 + 41] = 0xFF;
  damaged[damaged.size() / 2 + 42] = 0xD4;
  EXPECT_NE(fault_of(decoder, damaged), "none");
  EXPECT_EQ(fault_of(decoder, good), "none");
}

TEST(JpegDecoder, RefusesOtherShapesAndProgressiveFiles) {
  JpegDecoder decoder;
  const std::vector<std::uint8_t> good = encoded(colourful(photograph, 1), photograph);
  EXPECT_EQ(fault_of(decoder, good, {83, 100, 3}), "it has 101×83 pixels of 3 channels, the data set 100×83 of 3");
  EXPECT_EQ(fault_of(decoder, good, grey), "it has 101×83 pixels of 3 channels, the data set 101×83 of 1");
  const auto progressive = encoded(colourful(photograph, 1), photograph, TJSAMP_420, 90, TJFLAG_PROGRESSIVE);
  EXPECT_EQ(fault_of(decoder, progressive), "it is no baseline JPEG");
  EXPECT_EQ(fault_of(decoder, good), "none");
}

TEST(JpegReduction, KeepsTheCropAtLeastAsLargeAsTheOutput) {
  EXPECT_EQ(jpeg_reduction({0, 0, 256, 256}, 224), 1);
  EXPECT_EQ(jpeg_reduction({0, 0, 128, 127}, 64), 1);
  EXPECT_EQ(jpeg_reduction({0, 0, 128, 129}, 64), 2);
  EXPECT_EQ(jpeg_reduction({0, 0, 1000, 300}, 64), 4);
  EXPECT_EQ(jpeg_reduction({0, 0, 5000, 5000}, 64), 8);
}

}  // namespace
}  // namespace lockstep
