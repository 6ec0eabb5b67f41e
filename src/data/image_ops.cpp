#include "data/image_ops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "lockstep/core/vector_clones.hpp"

namespace lockstep::pixels {
namespace {

constexpr int levels = 256;
using Table = std::array<std::uint8_t, levels>;

struct Picture {
  std::int64_t channels, side;
  std::vector<std::uint8_t>&image, &spare;

  std::int64_t pixels() const { return side * side; }
  std::size_t bytes() const { return static_cast<std::size_t>(pixels() * channels); }
};

/// Cut down to a level, as torch converts to uint8.
std::uint8_t level_of(float value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f)); }

/// Source of an output pixel's centre (x, y): xx·x + xy·y + x0 likewise for y, in pixels from the upper left corner.
struct Affine {
  double xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;
};

LOCKSTEP_VECTOR void move_pixels(const Affine& from, const Picture& p) {
  p.spare.resize(p.image.size());
  std::uint8_t* out = p.spare.data();
  for (std::int64_t y = 0; y < p.side; ++y) {
    for (std::int64_t x = 0; x < p.side; ++x, out += p.channels) {
      const double cx = static_cast<double>(x) + 0.5, cy = static_cast<double>(y) + 0.5;
      const auto sx = static_cast<std::int64_t>(std::nearbyint(from.xx * cx + from.xy * cy + from.x0 - 0.5));
      const auto sy = static_cast<std::int64_t>(std::nearbyint(from.yx * cx + from.yy * cy + from.y0 - 0.5));
      if (sx < 0 || sy < 0 || sx >= p.side || sy >= p.side)
        std::fill_n(out, p.channels, std::uint8_t{0});
      else
        std::copy_n(p.image.data() + (sy * p.side + sx) * p.channels, p.channels, out);
    }
  }
  p.image.swap(p.spare);
}

/// Counter-clockwise about the centre.
Affine rotation(double degrees, std::int64_t side) {
  const double angle = degrees * std::numbers::pi / 180, centre = static_cast<double>(side) / 2;
  const double cosine = std::cos(angle), sine = std::sin(angle);
  return {cosine, -sine,  centre - cosine * centre + sine * centre,
          sine,   cosine, centre - sine * centre - cosine * centre};
}

void look_up(const Table& table, std::int64_t channel, std::int64_t step, const Picture& p) {
  for (std::size_t i = static_cast<std::size_t>(channel); i < p.bytes(); i += static_cast<std::size_t>(step))
    p.image[i] = table[p.image[i]];
}

template <typename Change>
void change_levels(const Picture& p, const Change& change) {
  Table table;
  for (int level = 0; level < levels; ++level) table[static_cast<std::size_t>(level)] = change(level);
  look_up(table, 0, 1, p);
}

/// Between a grey version (share 0) and the image itself (1), or beyond.
std::uint8_t blended(float value, float other, float share) { return level_of(value * share + other * (1 - share)); }

/// Whole levels of luminance.
LOCKSTEP_VECTOR void luminance_of(const std::uint8_t* __restrict rgb, std::int64_t pixels,
                                  std::uint8_t* __restrict grey) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    const float level = 0.2989f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
    grey[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
  }
}

void saturate(double factor, const Picture& p) {
  if (p.channels == 1) return;
  p.spare.resize(p.image.size());
  luminance_of(p.image.data(), p.pixels(), p.spare.data());
  const auto share = static_cast<float>(factor);
  for (std::size_t i = 0; i < p.bytes(); ++i) p.image[i] = blended(p.image[i], p.spare[i / 3], share);
}

void contrast(double factor, const Picture& p) {
  p.spare.resize(p.image.size());
  if (p.channels == 3) luminance_of(p.image.data(), p.pixels(), p.spare.data());
  const std::uint8_t* grey = p.channels == 3 ? p.spare.data() : p.image.data();
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < p.pixels(); ++i) total += grey[i];
  const auto mean = static_cast<float>(static_cast<double>(total) / static_cast<double>(p.pixels()));
  const auto share = static_cast<float>(factor);
  change_levels(p, [=](int level) { return blended(static_cast<float>(level), mean, share); });
}

/// Between the image smoothed over 3×3 pixels, the middle one counting five times, and itself; the rim stays.
LOCKSTEP_VECTOR void sharpen(double factor, const Picture& p) {
  if (p.side <= 2) return;
  p.spare = p.image;
  const std::int64_t line = p.side * p.channels;
  const auto share = static_cast<float>(factor);
  for (std::int64_t y = 1; y + 1 < p.side; ++y) {
    for (std::int64_t i = y * line + p.channels; i < (y + 1) * line - p.channels; ++i) {
      const std::uint8_t* at = p.spare.data() + i;
      int sum = 4 * at[0];
      for (const std::int64_t row : {-line, std::int64_t{0}, line})
        sum += at[row - p.channels] + at[row] + at[row + p.channels];
      const float smooth = std::nearbyint(static_cast<float>(sum) / 13.0f);
      p.image[static_cast<std::size_t>(i)] = level_of(at[0] + (smooth - at[0]) * (1 - share));
    }
  }
}

std::array<std::int64_t, levels> histogram(std::int64_t channel, const Picture& p) {
  std::array<std::int64_t, levels> counts{};
  for (std::size_t i = static_cast<std::size_t>(channel); i < p.bytes(); i += static_cast<std::size_t>(p.channels))
    ++counts[p.image[i]];
  return counts;
}

void auto_contrast(const Picture& p) {
  for (std::int64_t channel = 0; channel < p.channels; ++channel) {
    const auto counts = histogram(channel, p);
    int low = 0, high = levels - 1;
    while (counts[static_cast<std::size_t>(low)] == 0) ++low;
    while (counts[static_cast<std::size_t>(high)] == 0) --high;
    if (low == high) continue;
    Table table{};
    const float scale = static_cast<float>(high - low) * (1.0f / 255);  // a product, as torchvision's
    for (int level = low; level <= high; ++level)
      table[static_cast<std::size_t>(level)] = level_of(static_cast<float>(level - low) / scale);
    look_up(table, channel, p.channels, p);
  }
}

/// Pillow's way: a level becomes the number of steps that the levels below it fill, a step being a 255th of all pixels
/// but those of the highest level.
void equalize(const Picture& p) {
  for (std::int64_t channel = 0; channel < p.channels; ++channel) {
    const auto counts = histogram(channel, p);
    int high = levels - 1;
    while (counts[static_cast<std::size_t>(high)] == 0) --high;
    const std::int64_t step = (p.pixels() - counts[static_cast<std::size_t>(high)]) / 255;
    if (step == 0) continue;
    Table table{};
    std::int64_t below = step / 2;
    for (std::size_t level = 0; level < levels; ++level) {
      table[level] = static_cast<std::uint8_t>(std::min<std::int64_t>(below / step, 255));
      below += counts[level];
    }
    look_up(table, channel, p.channels, p);
  }
}

}  // namespace

void apply_op(const ImageOpDraw& draw, std::int64_t channels, std::int64_t side, std::vector<std::uint8_t>& image,
              std::vector<std::uint8_t>& spare) {
  const Picture p{channels, side, image, spare};
  const double amount = draw.amount;
  const double shift = std::trunc(amount * static_cast<double>(side));
  switch (draw.op) {
    case ImageOp::identity:
      return;
    case ImageOp::shear_x:
      return move_pixels({.xy = amount}, p);
    case ImageOp::shear_y:
      return move_pixels({.yx = amount}, p);
    case ImageOp::translate_x:
      return move_pixels({.x0 = -shift}, p);
    case ImageOp::translate_y:
      return move_pixels({.y0 = -shift}, p);
    case ImageOp::rotate:
      return move_pixels(rotation(amount, side), p);
    case ImageOp::brightness:
      return change_levels(
          p, [=](int level) { return blended(static_cast<float>(level), 0, static_cast<float>(amount)); });
    case ImageOp::saturation:
      return saturate(amount, p);
    case ImageOp::contrast:
      return contrast(amount, p);
    case ImageOp::sharpness:
      return sharpen(amount, p);
    case ImageOp::posterize:
      return change_levels(
          p, [=](int level) { return static_cast<std::uint8_t>(level & (0xFF << (8 - static_cast<int>(amount)))); });
    case ImageOp::solarize:
      return change_levels(p,
                           [=](int level) { return static_cast<std::uint8_t>(level >= amount ? 255 - level : level); });
    case ImageOp::auto_contrast:
      return auto_contrast(p);
    case ImageOp::equalize:
      return equalize(p);
  }
}

}  // namespace lockstep::pixels
