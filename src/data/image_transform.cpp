#include "lockstep/data/image_transform.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace lockstep {
namespace {

constexpr std::array luminance{0.299f, 0.587f, 0.114f};  // ITU-R BT.601, as Pillow and torchvision

/// The taps of one output pixel along one axis.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

/// Triangle filter over source pixels [begin, begin + length) of `limit`, for `side` output pixels, mirrored if asked.
std::vector<Taps> triangle_taps(double begin, double length, std::int64_t limit, std::int64_t side, bool mirrored) {
  const double step = length / static_cast<double>(side);
  const double support = std::max(step, 1.0);
  // Taps stay inside the crop, like a resize of the cut-out image.
  const auto low = static_cast<std::int64_t>(std::floor(std::max(begin, 0.0)));
  const auto high = std::min<std::int64_t>(limit, static_cast<std::int64_t>(std::ceil(begin + length)));
  std::vector<Taps> all(static_cast<std::size_t>(side));
  for (std::int64_t out = 0; out < side; ++out) {
    const double centre = begin + (static_cast<double>(out) + 0.5) * step;
    const auto first = std::max(low, static_cast<std::int64_t>(std::floor(centre - support + 0.5)));
    const auto last = std::min(high, static_cast<std::int64_t>(std::floor(centre + support + 0.5)));
    Taps& taps = all[static_cast<std::size_t>(mirrored ? side - 1 - out : out)];
    taps.first = std::min(first, high - 1);
    double total = 0;
    for (std::int64_t pixel = first; pixel < last; ++pixel) {
      const double distance = std::abs((static_cast<double>(pixel) + 0.5 - centre) / support);
      taps.weights.push_back(static_cast<float>(std::max(0.0, 1.0 - distance)));
      total += taps.weights.back();
    }
    if (total <= 0)
      taps.weights = {1.0f};
    else
      for (float& weight : taps.weights) weight = static_cast<float>(weight / total);
  }
  return all;
}

/// One source row of bytes to `side` filtered pixels.
template <int Channels>
void filter_row(const std::uint8_t* row, const std::vector<Taps>& columns, float* out) {
  for (const Taps& taps : columns) {
    std::array<float, Channels> sum{};
    const std::uint8_t* pixel = row + taps.first * Channels;
    for (const float weight : taps.weights) {
      for (int c = 0; c < Channels; ++c) sum[static_cast<std::size_t>(c)] += weight * static_cast<float>(*pixel++);
    }
    for (int c = 0; c < Channels; ++c) *out++ = sum[static_cast<std::size_t>(c)];
  }
}

bool is_identity(const Augmentation& a, const ImageShape& source, std::int64_t side) {
  return !a.flip && !a.vertical_flip && source.height == side && source.width == side && a.crop.top == 0 &&
         a.crop.left == 0 && a.crop.height == static_cast<double>(side) && a.crop.width == static_cast<double>(side);
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

ImageTransform::ImageTransform(ImageShape source, std::int64_t side, ChannelScale scale)
    : source_(source), side_(side), scale_(std::move(scale)) {}

void ImageTransform::resample(std::span<const std::uint8_t> source, const Augmentation& a, Scratch& scratch) const {
  const auto columns = triangle_taps(a.crop.left, a.crop.width, source_.width, side_, a.flip);
  const auto rows = triangle_taps(a.crop.top, a.crop.height, source_.height, side_, a.vertical_flip);
  const std::int64_t line = side_ * source_.channels;
  std::int64_t first = source_.height, last = 0;
  for (const Taps& taps : rows) {
    first = std::min(first, taps.first);
    last = std::max(last, taps.first + static_cast<std::int64_t>(taps.weights.size()));
  }
  scratch.rows.resize(static_cast<std::size_t>((last - first) * line));
  for (std::int64_t y = first; y < last; ++y) {
    const std::uint8_t* in = source.data() + y * source_.width * source_.channels;
    float* out = scratch.rows.data() + (y - first) * line;
    if (source_.channels == 3)
      filter_row<3>(in, columns, out);
    else
      filter_row<1>(in, columns, out);
  }
  float* out = scratch.image.data();
  for (const Taps& taps : rows) {
    std::fill(out, out + line, 0.0f);
    const float* in = scratch.rows.data() + (taps.first - first) * line;
    for (const float weight : taps.weights) {
      for (std::int64_t i = 0; i < line; ++i) out[i] += weight * in[i];
      in += line;
    }
    out += line;
  }
}

void ImageTransform::warp(const Augmentation& a, Scratch& scratch) const {
  // Each output pixel asks where it comes from: the inverse of (rotate and scale about the centre, then shift).
  const std::int64_t channels = source_.channels;
  const double centre = static_cast<double>(side_) / 2, last = static_cast<double>(side_ - 1);
  const double cosine = std::cos(a.rotation) / a.scale, sine = std::sin(a.rotation) / a.scale;
  scratch.warped.resize(scratch.image.size());
  float* out = scratch.warped.data();
  for (std::int64_t y = 0; y < side_; ++y) {
    for (std::int64_t x = 0; x < side_; ++x, out += channels) {
      const double dx = static_cast<double>(x) + 0.5 - centre - a.shift_x * static_cast<double>(side_);
      const double dy = static_cast<double>(y) + 0.5 - centre - a.shift_y * static_cast<double>(side_);
      const double sx = std::clamp(cosine * dx - sine * dy + centre - 0.5, 0.0, last);
      const double sy = std::clamp(sine * dx + cosine * dy + centre - 0.5, 0.0, last);
      const auto x0 = static_cast<std::int64_t>(sx), y0 = static_cast<std::int64_t>(sy);
      const std::int64_t x1 = std::min(x0 + 1, side_ - 1), y1 = std::min(y0 + 1, side_ - 1);
      const auto fx = static_cast<float>(sx - static_cast<double>(x0)),
                 fy = static_cast<float>(sy - static_cast<double>(y0));
      const auto at = [&](std::int64_t py, std::int64_t px, std::int64_t c) {
        return scratch.image[static_cast<std::size_t>((py * side_ + px) * channels + c)];
      };
      for (std::int64_t c = 0; c < channels; ++c) {
        const float upper = at(y0, x0, c) + fx * (at(y0, x1, c) - at(y0, x0, c));
        const float lower = at(y1, x0, c) + fx * (at(y1, x1, c) - at(y1, x0, c));
        out[c] = upper + fy * (lower - upper);
      }
    }
  }
  scratch.image.swap(scratch.warped);
}

void ImageTransform::colour(const Augmentation& a, std::span<float> image) const {
  const auto brightness = static_cast<float>(a.brightness), contrast = static_cast<float>(a.contrast);
  const auto saturation = static_cast<float>(a.saturation);
  const auto channels = static_cast<std::size_t>(source_.channels);
  const auto grey = [&](const float* pixel) {
    return channels == 1 ? pixel[0] : luminance[0] * pixel[0] + luminance[1] * pixel[1] + luminance[2] * pixel[2];
  };
  double total = 0;
  for (std::size_t i = 0; i < image.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) image[i + c] = std::clamp(image[i + c] * brightness, 0.0f, 255.0f);
    total += grey(&image[i]);
  }
  const auto mean = static_cast<float>(total * static_cast<double>(channels) / static_cast<double>(image.size()));
  for (std::size_t i = 0; i < image.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c)
      image[i + c] = std::clamp(mean + contrast * (image[i + c] - mean), 0.0f, 255.0f);
    const float centre = grey(&image[i]);
    for (std::size_t c = 0; c < channels; ++c) {
      image[i + c] = std::clamp(centre + saturation * (image[i + c] - centre), 0.0f, 255.0f);
    }
  }
}

void ImageTransform::apply(std::span<const std::uint8_t> source, const Augmentation& a, std::span<float> slot,
                           Scratch& scratch) const {
  scratch.image.resize(slot.size());
  if (is_identity(a, source_, side_))
    std::copy(source.begin(), source.end(), scratch.image.begin());
  else
    resample(source, a, scratch);
  if (a.warps()) warp(a, scratch);
  if (a.colours()) colour(a, scratch.image);
  const auto channels = static_cast<std::size_t>(source_.channels);
  std::array<float, 4> mean{}, factor{};
  for (std::size_t c = 0; c < channels; ++c) {
    mean[c] = scale_.mean[c];
    factor[c] = 1.0f / scale_.std[c];
  }
  for (std::size_t i = 0; i < slot.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) slot[i + c] = (scratch.image[i + c] - mean[c]) * factor[c];
  }
}

}  // namespace lockstep
