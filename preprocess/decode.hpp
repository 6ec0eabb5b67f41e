// Bytes of an image file to upright 8-bit pixels, or a reason why not. The format is told by content, not by name.
//
//   JPEG       libjpeg-turbo, its warnings taken as errors: a file that is cut short or damaged is refused in the
//              library's own words. CMYK and YCCK become RGB. Arithmetic coding as far as the library was built with
//              it.
//   PNG        libpng, all colour types and interlacing; an index outside the palette is refused. Every checksum
//   counts. BMP, PNM, WebP   OpenCV; sizes are read here first, and a file shorter than its header says is refused.
//   others     refused by name (GIF, TIFF, HEIC …).
//
// Conversions: 16 bits to 8 by scaling; palettes expanded; transparency dropped, the colours underneath stay (as
// Pillow's and OpenCV's RGB conversion do); grey to RGB by repeating; RGB to grey by 0.299 R + 0.587 G + 0.114 B.
// Colour profiles and gamma are not applied. EXIF orientation of JPEG and PNG is. Animated PNGs give their first
// picture. Thread-safe: pure functions. Memory: sizes above DecodeRequest::most_pixels are refused before any pixel is
// allocated, whatever a small file claims.
#pragma once
#include <cstdint>
#include <opencv2/core/types.hpp>
#include <span>

#include "preprocess/picture.hpp"

namespace lockstep::preprocess {

inline constexpr std::int64_t usual_most_pixels = 100'000'000;

struct DecodeRequest {
  int channels = 3;  ///< 1 (grey) or 3 (RGB)
  /// The shorter side may be reduced, not below this many pixels; 0: never reduced. Only JPEG uses it.
  int least_side = 0;
  std::int64_t most_pixels = usual_most_pixels;
  /// A JPEG file of this size is given back beside its pixels if it can be stored as it is, see Picture::jpeg; 0 × 0:
  /// none.
  cv::Size jpeg_size = {};
};

/// Throws Refusal.
Picture decode_image(std::span<const std::uint8_t> file, const DecodeRequest& request);

/// Refuses a size that is empty or above `most` pixels. For the decoders.
void check_pixels(std::int64_t width, std::int64_t height, std::int64_t most);

}  // namespace lockstep::preprocess
