// Slots made from what is read and decoded for the crop alone, against the same transform of the whole picture.
#include "lockstep/data/sample_pipeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.hpp"
#include "support/jpeg_files.hpp"

namespace lockstep {
namespace {

using testing::colourful;
using testing::decoded_whole;
using testing::encoded;

/// Samples in memory, which count the bytes that were asked for.
class InMemory : public StoredSamples {
 public:
  InMemory(ImageShape shape, Store store) : shape_(shape), store_(store) {}
  ImageShape shape() const override { return shape_; }
  Store store() const override { return store_; }
  std::size_t stored_bytes(std::int64_t position) const override { return files.at(at(position)).size(); }
  void read(std::int64_t position, std::span<std::uint8_t> into, std::uint64_t first) const override {
    ASSERT_LE(first + into.size(), stored_bytes(position));
    std::copy_n(files.at(at(position)).begin() + static_cast<std::ptrdiff_t>(first), into.size(), into.begin());
    bytes_read += into.size();
  }
  std::vector<std::vector<std::uint8_t>> files;
  mutable std::size_t bytes_read = 0;

 private:
  static std::size_t at(std::int64_t position) { return static_cast<std::size_t>(position); }
  ImageShape shape_;
  Store store_;
};

AugmentationConfig everything() {
  AugmentationConfig config;
  config.on = true;
  config.crop_scale[0] = 0.05;
  config.crop_ratio[0] = 0.5;
  config.crop_ratio[1] = 2;
  config.flip = config.vertical_flip = 0.5;
  return config;
}

AugmentationConfig and_effects() {
  AugmentationConfig config = everything();
  config.rotation = 30;
  config.scaling = config.translation = 0.1;
  config.colour_jitter = 0.4;
  return config;
}

class Pipelines : public ::testing::TestWithParam<std::int64_t> {
 protected:
  std::int64_t channels_ = GetParam();
  ImageShape shape_{90, 70, channels_};
  ChannelScale scale_{std::vector<float>(static_cast<std::size_t>(channels_), 120.0f),
                      std::vector<float>(static_cast<std::size_t>(channels_), 50.0f)};
};

TEST_P(Pipelines, RawSlotsAreThoseOfTheWholeImageBitForBit) {
  InMemory samples(shape_, Store::raw);
  for (std::uint64_t i = 0; i < 3; ++i) samples.files.push_back(colourful(shape_, i));
  const ImageTransform transform(shape_, 32, scale_);
  const SamplePipeline pipeline(samples, transform);
  SamplePipeline::Scratch scratch;
  ImageTransform::Scratch other;
  std::vector<float> slot(transform.slot_size()), expected(transform.slot_size());
  for (std::int64_t id = 0; id < 300; ++id) {
    const Augmentation a =
        draw_augmentation(id % 2 ? everything() : and_effects(), 1, 0, id, shape_.height, shape_.width);
    pipeline.fill(id % 3, a, slot, scratch);
    transform.apply(samples.files[static_cast<std::size_t>(id % 3)], a, expected, other);
    ASSERT_EQ(slot, expected) << id;
  }
  EXPECT_EQ(scratch.costs.samples, 300);
  EXPECT_EQ(scratch.costs.read.bytes, samples.bytes_read);
  EXPECT_LT(samples.bytes_read, 300u * static_cast<std::size_t>(shape_.bytes()) * 8 / 10) << "only the crop's rows";
  EXPECT_EQ(scratch.costs.decode.bytes, 0u);
  EXPECT_EQ(scratch.costs.transform.bytes, 300 * sizeof(float) * transform.slot_size());
}

TEST_P(Pipelines, JpegSlotsAreThoseOfTheWholePictureBitForBit) {
  InMemory samples(shape_, Store::jpeg);
  for (std::uint64_t i = 0; i < 3; ++i) samples.files.push_back(encoded(colourful(shape_, i), shape_));
  for (const std::int64_t side : {32, 12, 5}) {  // the last ones from reduced pictures
    const ImageTransform transform(shape_, side, scale_);
    const SamplePipeline pipeline(samples, transform);
    SamplePipeline::Scratch scratch;
    ImageTransform::Scratch other;
    std::vector<float> slot(transform.slot_size()), expected(transform.slot_size());
    for (std::int64_t id = 0; id < 100; ++id) {
      Augmentation a = draw_augmentation(everything(), 1, 0, id, shape_.height, shape_.width);
      pipeline.fill(id % 3, a, slot, scratch);
      const int reduction = jpeg_reduction(a.crop, side);
      const auto whole = decoded_whole(samples.files[static_cast<std::size_t>(id % 3)], shape_, reduction);
      a.crop = {a.crop.top / reduction, a.crop.left / reduction, a.crop.height / reduction, a.crop.width / reduction};
      transform.apply(
          PixelView{whole.data(),
                    {0, 0, (shape_.height + reduction - 1) / reduction, (shape_.width + reduction - 1) / reduction}},
          a, expected, other);
      ASSERT_EQ(slot, expected) << id << " at side " << side;
    }
  }
}

TEST_P(Pipelines, ReducedDecodingStaysNearTheWholePicture) {
  // Soft pictures: on noise the two ways of averaging differ more. Grey levels.
  std::vector<std::uint8_t> soft;
  for (std::int64_t i = 0; i < shape_.bytes(); ++i) {
    const std::int64_t pixel = i / channels_;
    const auto x = static_cast<double>(pixel % shape_.width), y = static_cast<double>(pixel / shape_.width);
    const auto channel = static_cast<double>(i % channels_);
    soft.push_back(static_cast<std::uint8_t>(127 + 60 * std::sin(x / 9 + channel) + 60 * std::cos(y / 11)));
  }
  InMemory samples(shape_, Store::jpeg);
  samples.files.push_back(encoded(soft, shape_, TJSAMP_420, 97));
  const std::vector<float> none(static_cast<std::size_t>(channels_), 0), one(static_cast<std::size_t>(channels_), 1);
  const ImageTransform transform(shape_, 20, {none, one});
  const SamplePipeline pipeline(samples, transform);
  SamplePipeline::Scratch scratch;
  ImageTransform::Scratch other;
  std::vector<float> slot(transform.slot_size()), expected(transform.slot_size());
  int reduced = 0;
  for (std::int64_t id = 0; id < 200; ++id) {
    const Augmentation a = draw_augmentation(everything(), 1, 0, id, shape_.height, shape_.width);
    if (jpeg_reduction(a.crop, 20) == 1) continue;
    ++reduced;
    pipeline.fill(0, a, slot, scratch);
    transform.apply(soft, a, expected, other);
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < slot.size(); ++i) {
      const double here = std::abs(slot[i] - expected[i]);
      difference += here / static_cast<double>(slot.size());
      largest = std::max(largest, here);
    }
    EXPECT_LE(difference, 1) << id;
    EXPECT_LE(largest, 6) << id;
  }
  EXPECT_GT(reduced, 10);
}

TEST_P(Pipelines, ByteSlotsAreTheFloatOnesRounded) {
  InMemory samples(shape_, Store::raw);
  samples.files.push_back(colourful(shape_, 0));
  const std::vector<float> none(static_cast<std::size_t>(channels_), 0), one(static_cast<std::size_t>(channels_), 1);
  const ImageTransform transform(shape_, 32, {none, one});
  const SamplePipeline pipeline(samples, transform);
  SamplePipeline::Scratch scratch;
  std::vector<float> slot(transform.slot_size());
  std::vector<std::uint8_t> bytes(transform.slot_size());
  for (std::int64_t id = 0; id < 100; ++id) {
    const Augmentation a =
        draw_augmentation(id % 2 ? everything() : and_effects(), 1, 0, id, shape_.height, shape_.width);
    pipeline.fill(0, a, slot, scratch);
    pipeline.fill(0, a, bytes, scratch);
    for (std::size_t i = 0; i < slot.size(); ++i) ASSERT_NEAR(bytes[i], slot[i], 0.5001) << id;
  }
  EXPECT_EQ(scratch.costs.transform.bytes, 100 * (1 + sizeof(float)) * transform.slot_size());
}

INSTANTIATE_TEST_SUITE_P(Channels, Pipelines, ::testing::Values(1, 3));

TEST(SamplePipeline, ADamagedJpegIsNamed) {
  const ImageShape shape{40, 40, 3};
  InMemory samples(shape, Store::jpeg);
  for (std::uint64_t i = 0; i < 8; ++i) samples.files.push_back(encoded(colourful(shape, i), shape));
  samples.files[7].resize(samples.files[7].size() / 2);
  const ImageTransform transform(shape, 16, {{0, 0, 0}, {1, 1, 1}});
  const SamplePipeline pipeline(samples, transform);
  SamplePipeline::Scratch scratch;
  std::vector<float> slot(transform.slot_size());
  Augmentation whole;
  whole.crop = {0, 0, 40, 40};
  pipeline.fill(6, whole, slot, scratch);
  try {
    pipeline.fill(7, whole, slot, scratch);
    FAIL() << "half a file was taken for a whole one";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("sample 7"), std::string::npos) << text;
    EXPECT_NE(text.find("Premature end"), std::string::npos) << text;
  }
}

TEST(SamplePipeline, TheLastPixelStaysInsideTheSlot) {
  for (const std::int64_t side : {1, 2, 3, 7, 16}) {
    const ImageShape shape{9, 9, 3};
    InMemory samples(shape, Store::raw);
    samples.files.push_back(colourful(shape, 1));
    const ImageTransform transform(shape, side, {{1, 1, 1}, {1, 1, 1}});
    const SamplePipeline pipeline(samples, transform);
    SamplePipeline::Scratch scratch;
    constexpr float guard = 1e9f;
    for (std::int64_t id = 0; id < 20; ++id) {
      std::vector<float> slots(transform.slot_size() + 4, guard);
      const Augmentation a = draw_augmentation(id % 2 ? everything() : and_effects(), 1, 0, id, 9, 9);
      pipeline.fill(0, a, std::span(slots).first(transform.slot_size()), scratch);
      for (std::size_t i = 0; i < 4; ++i) ASSERT_EQ(slots[transform.slot_size() + i], guard) << side;
      for (std::size_t i = 0; i < transform.slot_size(); ++i) ASSERT_LE(std::abs(slots[i]), 256) << side << " " << i;
    }
  }
}

}  // namespace
}  // namespace lockstep
