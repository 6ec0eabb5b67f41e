#include "data/pixel_effects.hpp"

#include <algorithm>
#include <cmath>

#include "data/lanes.hpp"
#include "lockstep/core/vector_clones.hpp"

namespace lockstep::pixels {
namespace {

constexpr Float4 luminance{0.299f, 0.587f, 0.114f, 0};  // ITU-R BT.601, as Pillow and torchvision

/// Luminance in every lane.
[[gnu::always_inline]] inline Float4 grey_of(Float4 pixel) {
  const Float4 parts = pixel * luminance;
  return all(parts[0] + parts[1] + parts[2]);
}

/// Output pixel (x, y) asks where it comes from: source x = x_step · x + x_start, source y likewise.
struct RowOrigin {
  double x_start, x_step, y_start, y_step;
};

LOCKSTEP_VECTOR void place_row(const RowOrigin& origin, std::int64_t side, std::int32_t channels,
                               std::int32_t* __restrict offset, float* __restrict right, float* __restrict down) {
  const auto last = static_cast<double>(side - 1);
  const auto width = static_cast<std::int32_t>(side);
  for (std::int32_t x = 0; x < width; ++x) {
    double sx = origin.x_step * x + origin.x_start, sy = origin.y_step * x + origin.y_start;
    sx = sx < 0 ? 0 : sx > last ? last : sx;
    sy = sy < 0 ? 0 : sy > last ? last : sy;
    // One before the last at most: there are four pixels always, and at the edge the others weigh 1.
    const std::int32_t x0 = std::min(static_cast<std::int32_t>(sx), width - 2);
    const std::int32_t y0 = std::min(static_cast<std::int32_t>(sy), width - 2);
    offset[x] = (y0 * width + x0) * channels;
    right[x] = static_cast<float>(sx - x0);
    down[x] = static_cast<float>(sy - y0);
  }
}

LOCKSTEP_VECTOR void fetch_row_rgb(const float* image, const WarpRow& row, std::int64_t side, float* out) {
  for (std::int64_t x = 0; x < side; ++x) {
    const auto i = static_cast<std::size_t>(x);
    const float* upper = image + row.offset[i];
    const float* lower = upper + 3 * side;
    const Float4 above = load(upper) + row.right[i] * (load(upper + 3) - load(upper));
    const Float4 below = load(lower) + row.right[i] * (load(lower + 3) - load(lower));
    const Float4 pixel = above + row.down[i] * (below - above);
    if (x + 1 < side)
      store(out + 3 * x, pixel);
    else
      store_rgb(out + 3 * x, pixel);
  }
}

LOCKSTEP_VECTOR void fetch_row_grey(const float* image, const WarpRow& row, std::int64_t side, float* out) {
  for (std::int64_t x = 0; x < side; ++x) {
    const auto i = static_cast<std::size_t>(x);
    const float* upper = image + row.offset[i];
    const float* lower = upper + side;
    const float above = upper[0] + row.right[i] * (upper[1] - upper[0]);
    const float below = lower[0] + row.right[i] * (lower[1] - lower[0]);
    out[x] = above + row.down[i] * (below - above);
  }
}

/// Pixels one after the other; the last one, whose fourth lane lies outside, apart.
template <typename Change>
[[gnu::always_inline]] inline void change_rgb(const float* from, std::int64_t pixels, float* to, const Change& change) {
  for (std::int64_t i = 0; i + 1 < pixels; ++i) store(to + 3 * i, change(load(from + 3 * i)));
  store_rgb(to + 3 * (pixels - 1), change(load(from + 3 * (pixels - 1))));
}

/// In place, a store would have changed the next pixel's first channel before it is loaded: it is loaded before.
template <typename Change>
[[gnu::always_inline]] inline void change_rgb_in_place(float* image, std::int64_t pixels, const Change& change) {
  Float4 pixel = load(image);
  for (std::int64_t i = 0; i + 1 < pixels; ++i) {
    const Float4 next = load(image + 3 * (i + 1));
    store(image + 3 * i, change(pixel));
    pixel = next;
  }
  store_rgb(image + 3 * (pixels - 1), change(pixel));
}

LOCKSTEP_VECTOR void brighten_rgb(float* image, std::int64_t pixels, float factor) {
  change_rgb_in_place(image, pixels, [factor](Float4 p) { return clamped(p * factor, 0, 255); });
}

LOCKSTEP_VECTOR void contrast_and_saturate_rgb(float* image, std::int64_t pixels, float mean, float contrast,
                                               float saturation) {
  change_rgb_in_place(image, pixels, [=](Float4 p) {
    p = clamped(mean + contrast * (p - mean), 0, 255);
    const Float4 grey = grey_of(p);
    return clamped(grey + saturation * (p - grey), 0, 255);
  });
}

LOCKSTEP_VECTOR void brighten_grey(float* image, std::int64_t pixels, float factor) {
  for (std::int64_t i = 0; i < pixels; ++i) image[i] = std::clamp(image[i] * factor, 0.0f, 255.0f);
}

LOCKSTEP_VECTOR void contrast_grey(float* image, std::int64_t pixels, float mean, float contrast) {
  for (std::int64_t i = 0; i < pixels; ++i) image[i] = std::clamp(mean + contrast * (image[i] - mean), 0.0f, 255.0f);
}

/// Mean luminance. Sums of a row in float, each channel in its lane, and of the rows in double: one order everywhere.
double mean_grey(const float* image, std::int64_t channels, std::int64_t side) {
  double total = 0;
  for (std::int64_t y = 0; y < side; ++y, image += side * channels) {
    if (channels == 3) {
      Float4 sum = load(image);
      for (std::int64_t x = 1; x < side; ++x) sum += load(image + 3 * x);
      total += static_cast<double>(grey_of(sum)[0]);
    } else {
      float sum = 0;
      for (std::int64_t x = 0; x < side; ++x) sum += image[x];
      total += static_cast<double>(sum);
    }
  }
  return total / static_cast<double>(side * side);
}

LOCKSTEP_VECTOR void normalise_rgb(const float* image, std::int64_t pixels, const Lanes& mean, const Lanes& factor,
                                   float* slot) {
  const Float4 m = load(mean.data()), f = load(factor.data());
  change_rgb(image, pixels, slot, [m, f](Float4 p) { return (p - m) * f; });
}

LOCKSTEP_VECTOR void normalise_grey(const float* __restrict image, std::int64_t pixels, float mean, float factor,
                                    float* __restrict slot) {
  for (std::int64_t i = 0; i < pixels; ++i) slot[i] = (image[i] - mean) * factor;
}

}  // namespace

void warp(const float* image, const Augmentation& a, std::int64_t channels, std::int64_t side, WarpRow& row,
          float* out) {
  if (side == 1) {  // one pixel, continued everywhere
    std::copy_n(image, channels, out);
    return;
  }
  const auto extent = static_cast<double>(side), middle = extent / 2 - 0.5;
  const double cosine = std::cos(a.rotation) / a.scale, sine = std::sin(a.rotation) / a.scale;
  row.offset.resize(static_cast<std::size_t>(side));
  row.right.resize(static_cast<std::size_t>(side));
  row.down.resize(static_cast<std::size_t>(side));
  for (std::int64_t y = 0; y < side; ++y, out += side * channels) {
    const double dx = -middle - a.shift_x * extent, dy = static_cast<double>(y) - middle - a.shift_y * extent;
    const RowOrigin origin{cosine * dx - sine * dy + middle, cosine, sine * dx + cosine * dy + middle, sine};
    place_row(origin, side, static_cast<std::int32_t>(channels), row.offset.data(), row.right.data(), row.down.data());
    if (channels == 3)
      fetch_row_rgb(image, row, side, out);
    else
      fetch_row_grey(image, row, side, out);
  }
}

void colour(const Augmentation& a, std::int64_t channels, std::int64_t side, float* image) {
  const std::int64_t pixels = side * side;
  const auto brightness = static_cast<float>(a.brightness), contrast = static_cast<float>(a.contrast);
  const auto saturation = static_cast<float>(a.saturation);
  if (channels == 3) {
    brighten_rgb(image, pixels, brightness);
    const auto mean = static_cast<float>(mean_grey(image, channels, side));
    contrast_and_saturate_rgb(image, pixels, mean, contrast, saturation);
  } else {  // grey has no saturation
    brighten_grey(image, pixels, brightness);
    contrast_grey(image, pixels, static_cast<float>(mean_grey(image, channels, side)), contrast);
  }
}

void normalise(const float* image, std::int64_t channels, std::int64_t side, const Lanes& mean, const Lanes& factor,
               float* slot) {
  if (channels == 3)
    normalise_rgb(image, side * side, mean, factor, slot);
  else
    normalise_grey(image, side * side, mean[0], factor[0], slot);
}

LOCKSTEP_VECTOR void round_to_bytes(const float* image, std::int64_t size, std::uint8_t* slot) {
  for (std::int64_t i = 0; i < size; ++i) {
    const float level = std::clamp(image[i], 0.0f, 255.0f) + 0.5f;
    slot[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
  }
}

}  // namespace lockstep::pixels
