#include "lockstep/data/augmentation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "lockstep/data/image_transform.hpp"

namespace lockstep {
namespace {

AugmentationConfig everything() {
  AugmentationConfig config;
  config.on = true;
  config.crop_scale[0] = 0.2;
  config.crop_ratio[0] = 0.75;
  config.crop_ratio[1] = 4.0 / 3;
  config.flip = 0.5;
  config.rotation = 30;
  config.scaling = 0.2;
  config.translation = 0.1;
  config.colour_jitter = 0.3;
  return config;
}

TEST(Augmentation, IsAFunctionOfSeedEpochAndSample) {
  const auto draw = [](std::uint64_t seed, std::int64_t epoch, std::int64_t id) {
    return draw_augmentation(everything(), seed, epoch, id, 40, 50);
  };
  EXPECT_EQ(draw(1, 2, 3).crop, draw(1, 2, 3).crop);
  EXPECT_EQ(draw(1, 2, 3).rotation, draw(1, 2, 3).rotation);
  EXPECT_NE(draw(1, 2, 3).rotation, draw(2, 2, 3).rotation);
  EXPECT_NE(draw(1, 2, 3).rotation, draw(1, 3, 3).rotation);
  EXPECT_NE(draw(1, 2, 3).rotation, draw(1, 2, 4).rotation);
}

TEST(Augmentation, StaysInsideTheImageAndItsRanges) {
  int flips = 0;
  for (std::int64_t id = 0; id < 2000; ++id) {
    const Augmentation a = draw_augmentation(everything(), 1, 0, id, 40, 50);
    EXPECT_GE(a.crop.top, 0);
    EXPECT_GE(a.crop.left, 0);
    EXPECT_LE(a.crop.top + a.crop.height, 40);
    EXPECT_LE(a.crop.left + a.crop.width, 50);
    const double share = a.crop.height * a.crop.width / 2000;
    EXPECT_GT(share, 0.15);
    EXPECT_LE(std::abs(a.rotation), 30 * 3.1416 / 180);
    EXPECT_LE(std::abs(a.scale - 1), 0.2);
    flips += a.flip;
  }
  EXPECT_NEAR(flips, 1000, 120);
}

TEST(Augmentation, RandAugmentDrawsEveryOperationAndBothSigns) {
  AugmentationConfig config = everything();
  config.randaugment_ops = 3;
  config.randaugment_magnitude = 30;
  std::array<int, image_ops> seen{};
  int right = 0, left = 0;
  for (std::int64_t id = 0; id < 2000; ++id) {
    const Augmentation a = draw_augmentation(config, 1, 0, id, 40, 50);
    ASSERT_EQ(a.ops.size(), 3u);
    EXPECT_EQ(a.ops, draw_augmentation(config, 1, 0, id, 40, 50).ops);
    for (const ImageOpDraw& draw : a.ops) {
      ++seen[static_cast<std::size_t>(draw.op)];
      if (draw.op != ImageOp::rotate) continue;
      ++(draw.amount > 0 ? left : right);
      EXPECT_EQ(std::abs(draw.amount), 30);
    }
  }
  for (const int count : seen) EXPECT_NEAR(count, 6000 / image_ops, 100);
  EXPECT_NEAR(left, right, 100);
}

TEST(Augmentation, ErasesRectanglesOfTorchvisionsSizes) {
  AugmentationConfig config = everything();
  config.random_erasing = 0.4;
  int erased = 0;
  double smallest = 1, largest = 0, flattest = 10, highest = 0;
  for (std::int64_t id = 0; id < 4000; ++id) {
    const std::optional<ErasedBox> box = draw_augmentation(config, 1, 0, id, 40, 50).erased;
    EXPECT_EQ(box, draw_augmentation(config, 1, 0, id, 40, 50).erased);
    if (!box) continue;
    ++erased;
    const double area = box->height * box->width, ratio = box->height / box->width;
    smallest = std::min(smallest, area), largest = std::max(largest, area);
    flattest = std::min(flattest, ratio), highest = std::max(highest, ratio);
    ASSERT_TRUE(box->height < 1 && box->width < 1 && box->top >= 0 && box->top < 1 && box->left >= 0 && box->left < 1);
  }
  EXPECT_NEAR(erased, 1600, 120);
  EXPECT_NEAR(smallest, 0.02, 0.001);
  EXPECT_NEAR(largest, 0.33, 0.001);
  EXPECT_GE(smallest, 0.02);
  EXPECT_LE(largest, 0.33);
  EXPECT_NEAR(flattest, 0.3, 0.01);
  EXPECT_NEAR(highest, 3.3, 0.05);
}

TEST(Augmentation, WhatIsDrawnBeforeDoesNotChangeWithRandAugmentAndErasing) {
  AugmentationConfig more = everything();
  more.randaugment_ops = 2;
  more.randaugment_magnitude = 9;
  more.random_erasing = 1;
  for (std::int64_t id = 0; id < 50; ++id) {
    Augmentation a = draw_augmentation(more, 1, 0, id, 40, 50), b = draw_augmentation(everything(), 1, 0, id, 40, 50);
    EXPECT_EQ(a.crop, b.crop);
    EXPECT_EQ(a.saturation, b.saturation);
    EXPECT_TRUE(b.ops.empty() && !b.erased);
  }
}

TEST(Augmentation, OffMeansTheWholeImage) {
  const Augmentation a = draw_augmentation(AugmentationConfig{}, 1, 0, 5, 40, 50);
  EXPECT_EQ(a.crop, (CropBox{0, 0, 40, 50}));
  EXPECT_FALSE(a.flip || a.warps() || a.colours() || !a.ops.empty() || a.erased);
}

TEST(CentreCrop, CutsTheMiddleOfTheResizedImage) {
  EXPECT_EQ(centre_crop(100, 100, 100, 80), (CropBox{10, 10, 80, 80}));
  EXPECT_EQ(centre_crop(100, 200, 50, 50), (CropBox{0, 50, 100, 100}));
}

class Transform : public ::testing::Test {
 protected:
  std::vector<float> apply(const Augmentation& a, std::int64_t side) const {
    const ImageTransform transform({4, 6, 1}, side, {{0}, {1}});
    std::vector<float> slot(static_cast<std::size_t>(side * side));
    ImageTransform::Scratch scratch;
    transform.apply(pixels_, a, slot, scratch);
    return slot;
  }
  Augmentation crop(double top, double left, double height, double width) const {
    Augmentation a;
    a.crop = {top, left, height, width};
    return a;
  }
  std::vector<std::uint8_t> pixels_ = [] {
    std::vector<std::uint8_t> p;
    for (int i = 0; i < 24; ++i) p.push_back(static_cast<std::uint8_t>(10 * i));  // row y, column x: 60y + 10x
    return p;
  }();
};

TEST_F(Transform, CutsExactlyWithoutResizing) {
  EXPECT_EQ(apply(crop(1, 2, 2, 2), 2), (std::vector<float>{80, 90, 140, 150}));
}

TEST_F(Transform, FlipsBothWays) {
  Augmentation a = crop(1, 2, 2, 2);
  a.flip = true;
  EXPECT_EQ(apply(a, 2), (std::vector<float>{90, 80, 150, 140}));
  a.vertical_flip = true;
  EXPECT_EQ(apply(a, 2), (std::vector<float>{150, 140, 90, 80}));
}

TEST_F(Transform, HalvingWeighsLikeATriangleOfDoubleWidth) {
  // Shrinking 4×4 to 2×2: columns of the left output see pixels 0..2 with weights 3/7, 3/7, 1/7 (centre 1, support 2).
  const double left = (3 * 0 + 3 * 10 + 1 * 20) / 7.0, right = (1 * 10 + 3 * 20 + 3 * 30) / 7.0;
  const double top = (3 * 0 + 3 * 60 + 1 * 120) / 7.0, bottom = (1 * 60 + 3 * 120 + 3 * 180) / 7.0;
  const std::vector<float> out = apply(crop(0, 0, 4, 4), 2);
  EXPECT_NEAR(out[0], left + top, 1e-3);
  EXPECT_NEAR(out[1], right + top, 1e-3);
  EXPECT_NEAR(out[2], left + bottom, 1e-3);
  EXPECT_NEAR(out[3], right + bottom, 1e-3);
}

TEST_F(Transform, AQuarterTurnMovesPixelsCounterClockwise) {
  Augmentation a = crop(0, 0, 4, 4);
  a.rotation = std::acos(-1.0) / 2;
  const std::vector<float> out = apply(a, 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x)
      EXPECT_NEAR(out[static_cast<std::size_t>(4 * y + x)], 60 * x + 10 * (3 - y), 1e-2) << y << "," << x;
  }
}

TEST_F(Transform, ShiftingByOnePixelMovesRightAndContinuesTheEdge) {
  Augmentation a = crop(0, 0, 4, 4);
  a.shift_x = 0.25;
  const std::vector<float> out = apply(a, 4);
  EXPECT_NEAR(out[0], 0, 1e-3);
  EXPECT_NEAR(out[1], 0, 1e-3);
  EXPECT_NEAR(out[2], 10, 1e-3);
}

TEST_F(Transform, BrightnessScalesAndClamps) {
  Augmentation a = crop(0, 0, 2, 2);
  a.brightness = 10;
  EXPECT_EQ(apply(a, 2), (std::vector<float>{0, 100, 255, 255}));
}

TEST(ChannelScales, AConstantChannelDoesNotDivideByZero) {
  Manifest manifest;
  manifest.shape = {2, 2, 1};
  manifest.mean = {7};
  manifest.std = {0};
  EXPECT_EQ(channel_scale(Normalisation::standardise, manifest).std[0], 1.0f);
}

}  // namespace
}  // namespace lockstep
