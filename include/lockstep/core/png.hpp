// Pictures as PNG files in memory: what browsers, TensorBoard and image libraries show without loss.
//
// 8 bits a channel, grey or RGB, not interlaced. Each row is stored by the filter of which the differences are smallest,
// as the specification advises (W3C, Portable Network Graphics, third edition, 12.7), and deflated by zlib. Pure
// functions of their arguments; thread-safe. Errors: a defect where the pixels are not height · width · channels.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct Picture {
  std::int64_t height = 0, width = 0;  ///< pixels, at least 1
  std::int64_t channels = 3;           ///< 1: grey, 3: RGB
  std::vector<std::uint8_t> pixels;    ///< [height, width, channels]
};

/// The whole file.
std::string png_of(const Picture& picture);

}  // namespace lockstep
