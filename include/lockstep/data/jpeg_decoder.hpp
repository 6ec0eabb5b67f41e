// Decodes the part of a stored JPEG that a crop needs. One object for each thread: its memory and the library's are
// reused.
//
// Stored files are baseline JPEGs of the data set's shape (stored_samples.hpp). Data above the part has to be read,
// since codes of variable length follow each other; what lies below it is not. Colours and pixels are made for the part
// alone, and are those of a full decode by libjpeg-turbo with its default settings, bit for bit. One thread at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>

#include "lockstep/data/image_transform.hpp"

namespace lockstep {

/// A file that is damaged (what libjpeg-turbo warns of is damage too), not baseline, or of another shape; the caller
/// knows which it is. Damage below the part that is decoded goes unseen.
struct JpegFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class JpegDecoder {
 public:
  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(JpegDecoder&&) noexcept;
  JpegDecoder& operator=(JpegDecoder&&) noexcept;

  /// At least the pixels `part` of the image reduced by `reduction` (1, 2, 4 or 8; its sides are rounded up), valid
  /// until the next call. `shape`: what the file must be, before the reduction. Throws JpegFault.
  PixelView decode(std::span<const std::uint8_t> file, const ImageShape& shape, const PixelBox& part, int reduction);

 private:
  struct State;
  std::unique_ptr<State> state_;  // made by the first decode(): raw data sets need none
};

/// The strongest of the reductions that leaves `crop` at least as large as `side` in both directions. What is then made
/// of the reduced picture is, on soft forms, within a mean of 1 grey level of what the whole one gives.
int jpeg_reduction(const CropBox& crop, std::int64_t side);

}  // namespace lockstep
