// What is kept of every source image so that an audit can compare images without having them any more. A value.
//
// Taken while packing (preprocess/fingerprint.hpp) and kept in images.h5 (image_table.hpp). Depends on the image and on
// how it was decoded for the data set's side, not on ranks or threads.
#pragma once
#include <array>
#include <cstdint>

namespace lockstep {

struct ImageFingerprint {
  std::int64_t bytes = 0;               ///< of the file, or of the pixels of a record; 0: there is no fingerprint
  std::uint64_t content = 0;            ///< XXH64 (seed 0) of these bytes, what xxhsum prints of a file
  std::array<std::uint64_t, 4> look{};  ///< signs of the picture's low frequencies, the lowest ones in look[0]
  std::array<std::uint8_t, 3> mean{};   ///< [channel], 0 … 255, of the upright picture before any crop
  std::array<std::uint8_t, 3> least{};  ///< [channel], smallest value of any pixel
  std::array<std::uint8_t, 3> most{};   ///< [channel], largest value
  std::uint8_t contrast = 0;            ///< standard deviation of the greys of 32 × 32 cells, rounded up; 0: all equal

  bool taken() const { return bytes > 0; }
  bool operator==(const ImageFingerprint&) const = default;
};

}  // namespace lockstep
