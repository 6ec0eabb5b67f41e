// Resizing by a separable triangle filter: which source pixels each output pixel weighs, and the two passes over them.
//
// The filter is that of Pillow's BILINEAR (its support grows when shrinking, pixel centres at ½). Images are rows of
// interleaved channels, 1 or 3. Sums run over the taps in order of the source, each lane alone, so every instruction
// set gives the same bits. Internal to src/data; one thread for each object.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "lockstep/data/image_transform.hpp"

namespace lockstep::pixels {

/// The taps of an axis: output pixel i is the sum over t of weights[i·count + t] · source[first[i] + t].
struct Taps {
  int count = 0;
  std::vector<std::int32_t> first;  // [output], counted from the beginning of the view
  std::vector<float> weights;       // [output][count]; zero outside the filter

  /// For `side` output pixels of the source's [begin, begin + length), mirrored if asked. The view holds the source's
  /// pixels from `view_begin` on, `view_length` of them.
  void place(double begin, double length, std::int64_t view_begin, std::int64_t view_length, std::int64_t side,
             bool mirrored);
};

/// A value per channel as the passes want it: channel c in [c], or the one channel in all.
using Lanes = std::array<float, 4>;

/// A filtered source row of `width` pixels, and room for the vector load at its end.
struct Resampler {
  Taps rows, columns;
  std::vector<float> line;
};

/// The crop of `view`, resized to side × side, as (value − mean) · factor in `out` [side][side][channels].
void resample(const PixelView& view, const Augmentation& crop_and_flips, std::int64_t channels, std::int64_t side,
              const Lanes& mean, const Lanes& factor, Resampler& scratch, float* out);

}  // namespace lockstep::pixels
