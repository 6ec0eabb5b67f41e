// A pixel's channels as one vector of four floats, loaded and stored without alignment.
//
// Four lanes are SSE's and part of every x86-64; elsewhere the compiler makes them of what there is. The fourth lane of
// an RGB pixel is whatever lies behind it. Internal to src/data.
#pragma once
#include <cstring>

namespace lockstep::pixels {

using Float4 [[gnu::vector_size(16)]] = float;

[[gnu::always_inline]] inline Float4 load(const float* from) {
  Float4 lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
[[gnu::always_inline]] inline void store(float* to, Float4 lanes) { std::memcpy(to, &lanes, sizeof lanes); }
/// Three lanes: for the last pixel of a row or a slot.
[[gnu::always_inline]] inline void store_rgb(float* to, Float4 lanes) { std::memcpy(to, &lanes, 3 * sizeof(float)); }
[[gnu::always_inline]] inline Float4 all(float value) { return Float4{value, value, value, value}; }
[[gnu::always_inline]] inline Float4 clamped(Float4 lanes, float low, float high) {
  lanes = lanes < low ? all(low) : lanes;
  return lanes > high ? all(high) : lanes;
}

}  // namespace lockstep::pixels
