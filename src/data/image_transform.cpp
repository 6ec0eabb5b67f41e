#include "lockstep/data/image_transform.hpp"

#include <algorithm>
#include <cmath>

#include "data/pixel_effects.hpp"
#include "data/resample.hpp"

namespace lockstep {
namespace {

using pixels::Lanes;

constexpr Lanes no_mean{0, 0, 0, 0}, no_factor{1, 1, 1, 1};

/// The values of channels in their lanes; lanes without a channel get `rest`.
Lanes in_lanes(const std::vector<float>& values, float rest) {
  Lanes lanes{rest, rest, rest, rest};
  std::ranges::copy(values, lanes.begin());
  return lanes;
}

}  // namespace

ChannelScale channel_scale(Normalisation normalisation, const Manifest& manifest) {
  const auto channels = static_cast<std::size_t>(manifest.shape.channels);
  ChannelScale scale{std::vector<float>(channels, 0.0f), std::vector<float>(channels, 255.0f)};
  if (normalisation == Normalisation::standardise) {
    for (std::size_t c = 0; c < channels; ++c) {
      scale.mean[c] = static_cast<float>(manifest.mean[c]);
      // A channel that never varies would divide by zero; its values are all equal to the mean anyway.
      scale.std[c] = manifest.std[c] > 0 ? static_cast<float>(manifest.std[c]) : 1.0f;
    }
  } else if (normalisation == Normalisation::imagenet) {
    if (channels == 3) {
      scale = {{0.485f * 255, 0.456f * 255, 0.406f * 255}, {0.229f * 255, 0.224f * 255, 0.225f * 255}};
    } else {
      scale = {{0.449f * 255}, {0.226f * 255}};
    }
  }
  return scale;
}

PixelBox pixels_of(const CropBox& crop, const ImageShape& image) {
  const auto low = [](double begin) { return static_cast<std::int64_t>(std::floor(std::max(begin, 0.0))); };
  const auto high = [](double end, std::int64_t limit) {
    return std::min(limit, static_cast<std::int64_t>(std::ceil(end)));
  };
  const std::int64_t top = low(crop.top), left = low(crop.left);
  return {top, left, high(crop.top + crop.height, image.height) - top,
          high(crop.left + crop.width, image.width) - left};
}

struct ImageTransform::Scratch::Memory {
  pixels::Resampler resampler;
  pixels::WarpRow warp_row;
  std::vector<float> image, warped;  // a float more than the image: see pixel_effects.hpp

  /// `image` after everything but normalisation.
  void make(const PixelView& view, const Augmentation& a, std::int64_t channels, std::int64_t side) {
    const auto size = static_cast<std::size_t>(side * side * channels);
    image.resize(size + 1);
    pixels::resample(view, a, channels, side, no_mean, no_factor, resampler, image.data());
    if (a.warps()) {
      warped.resize(size + 1);
      pixels::warp(image.data(), a, channels, side, warp_row, warped.data());
      image.swap(warped);
    }
    if (a.colours()) pixels::colour(a, channels, side, image.data());
  }
};

ImageTransform::Scratch::Scratch() : memory_(std::make_unique<Memory>()) {}
ImageTransform::Scratch::~Scratch() = default;

ImageTransform::ImageTransform(ImageShape source, std::int64_t side, ChannelScale scale)
    : source_(source), side_(side), scale_(std::move(scale)) {}

void ImageTransform::apply(const PixelView& view, const Augmentation& a, std::span<float> slot,
                           Scratch& scratch) const {
  Lanes factor = in_lanes(scale_.std, 1);
  for (float& value : factor) value = 1.0f / value;
  const Lanes mean = in_lanes(scale_.mean, 0);
  if (!a.warps() && !a.colours()) {
    pixels::resample(view, a, source_.channels, side_, mean, factor, scratch.memory_->resampler, slot.data());
    return;
  }
  scratch.memory_->make(view, a, source_.channels, side_);
  pixels::normalise(scratch.memory_->image.data(), source_.channels, side_, mean, factor, slot.data());
}

void ImageTransform::apply(const PixelView& view, const Augmentation& a, std::span<std::uint8_t> slot,
                           Scratch& scratch) const {
  scratch.memory_->make(view, a, source_.channels, side_);
  pixels::round_to_bytes(scratch.memory_->image.data(), std::ssize(slot), slot.data());
}

void ImageTransform::apply(std::span<const std::uint8_t> source, const Augmentation& a, std::span<float> slot,
                           Scratch& scratch) const {
  apply(PixelView{source.data(), {0, 0, source_.height, source_.width}}, a, slot, scratch);
}

}  // namespace lockstep
