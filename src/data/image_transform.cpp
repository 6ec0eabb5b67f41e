#include "lockstep/data/image_transform.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/image_ops.hpp"
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

/// `fill`: a value for each channel.
template <typename Fill, typename T>
void erase(const ErasedBox& box, std::int64_t side, Fill fill, std::span<T> slot) {
  const auto pixels_of_share = [side](double share) {
    return std::min(side, static_cast<std::int64_t>(std::llround(share * static_cast<double>(side))));
  };
  const auto place = [side](double where, std::int64_t length) {
    const std::int64_t places = side - length + 1;
    return std::min(places - 1, static_cast<std::int64_t>(where * static_cast<double>(places)));
  };
  const std::int64_t height = pixels_of_share(box.height), width = pixels_of_share(box.width);
  const std::int64_t top = place(box.top, height), left = place(box.left, width), channels = std::ssize(fill);
  for (std::int64_t y = top; y < top + height; ++y) {
    for (std::int64_t x = left; x < left + width; ++x) std::ranges::copy(fill, slot.data() + (y * side + x) * channels);
  }
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
  } else if (normalisation == Normalisation::symmetric) {
    scale = {std::vector<float>(channels, 127.5f), std::vector<float>(channels, 127.5f)};
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
  std::vector<float> image, warped;         // a float more than the image: see pixel_effects.hpp
  std::vector<std::uint8_t> levels, spare;  // for RandAugment

  /// `image`, and `levels` where RandAugment works on them, after everything but normalisation and erasing.
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
    if (a.ops.empty()) return;
    levels.resize(size);
    pixels::round_to_bytes(image.data(), std::ssize(levels), levels.data());
    for (const ImageOpDraw& op : a.ops) pixels::apply_op(op, channels, side, levels, spare);
    std::ranges::copy(levels, image.begin());
  }
};

ImageTransform::Scratch::Scratch() : memory_(std::make_unique<Memory>()) {}
ImageTransform::Scratch::~Scratch() = default;

ImageTransform::ImageTransform(ImageShape source, std::int64_t side, ChannelScale scale)
    : source_(source), side_(side), scale_(std::move(scale)) {}

void ImageTransform::apply(const PixelView& view, const Augmentation& a, std::span<float> slot,
                           Scratch& scratch) const {
  Scratch::Memory& memory = *scratch.memory_;
  Lanes factor = in_lanes(scale_.std, 1);
  for (float& value : factor) value = 1.0f / value;
  const Lanes mean = in_lanes(scale_.mean, 0);
  if (a.warps() || a.colours() || !a.ops.empty()) {
    memory.make(view, a, source_.channels, side_);
    pixels::normalise(memory.image.data(), source_.channels, side_, mean, factor, slot.data());
  } else {
    pixels::resample(view, a, source_.channels, side_, mean, factor, memory.resampler, slot.data());
  }
  if (a.erased) erase(*a.erased, side_, std::span(no_mean).first(scale_.mean.size()), slot);
}

void ImageTransform::apply(const PixelView& view, const Augmentation& a, std::span<std::uint8_t> slot,
                           Scratch& scratch) const {
  Scratch::Memory& memory = *scratch.memory_;
  memory.make(view, a, source_.channels, side_);
  pixels::round_to_bytes(memory.image.data(), std::ssize(slot), slot.data());
  if (!a.erased) return;
  std::array<std::uint8_t, 4> mean{};
  pixels::round_to_bytes(scale_.mean.data(), std::ssize(scale_.mean), mean.data());
  erase(*a.erased, side_, std::span(mean).first(scale_.mean.size()), slot);
}

void ImageTransform::apply(std::span<const std::uint8_t> source, const Augmentation& a, std::span<float> slot,
                           Scratch& scratch) const {
  apply(PixelView{source.data(), {0, 0, source_.height, source_.width}}, a, slot, scratch);
}

}  // namespace lockstep
