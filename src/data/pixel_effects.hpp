// What happens to a resized image before it is a slot of the batch: warps, colours, normalisation, rounding.
//
// Images are float [side][side][channels] on the scale 0 … 255, 1 or 3 channels, with one float more behind them, which
// vector loads may read. Each instruction set gives the same bits. Internal to src/data; pure functions.
#pragma once
#include <cstdint>

#include "data/resample.hpp"

namespace lockstep::pixels {

/// Where the pixels of an output row come from.
struct WarpRow {
  std::vector<std::int32_t> offset;  // [x] of the upper left of four source pixels
  std::vector<float> right, down;    // [x] weights of the right and the lower ones
};

/// Rotated and scaled about the centre, then shifted; bilinear, edge pixels continued. `out` is another image.
void warp(const float* image, const Augmentation& augmentation, std::int64_t channels, std::int64_t side, WarpRow& row,
          float* out);

/// Brightness, contrast, saturation, each clamped to 0 … 255; in place.
void colour(const Augmentation& augmentation, std::int64_t channels, std::int64_t side, float* image);

/// (value − mean) · factor; `slot` may not overlap.
void normalise(const float* image, std::int64_t channels, std::int64_t side, const Lanes& mean, const Lanes& factor,
               float* slot);

/// To the nearest level.
void round_to_bytes(const float* image, std::int64_t size, std::uint8_t* slot);

}  // namespace lockstep::pixels
