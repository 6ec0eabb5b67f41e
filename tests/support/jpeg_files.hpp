// JPEG files made and read whole by TurboJPEG, the other interface of libjpeg-turbo, for tests of what reads parts of
// them.
#pragma once
#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lockstep/core/draws.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep::testing {

/// Colour gradients, edges and some noise: chroma that differs from pixel to pixel.
inline std::vector<std::uint8_t> colourful(const ImageShape& shape, std::uint64_t seed) {
  std::vector<std::uint8_t> pixels;
  Draws draws(seed, Purpose::generated_images, 0);
  for (std::int64_t y = 0; y < shape.height; ++y) {
    for (std::int64_t x = 0; x < shape.width; ++x) {
      const bool disc = (x - 20) * (x - 20) + (y - 30) * (y - 30) < 200;
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const std::int64_t level = (c == 0 ? 2 * x : c == 1 ? 3 * y : x + y) + (disc ? 90 : 0);
        pixels.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(level) % 200 + draws.below(50)));
      }
    }
  }
  return pixels;
}

/// `subsampling`: TJSAMP_444, TJSAMP_420 …; of grey images it counts for nothing.
inline std::vector<std::uint8_t> encoded(const std::vector<std::uint8_t>& pixels, const ImageShape& shape,
                                         int subsampling = TJSAMP_420, int quality = 90, int flags = 0) {
  const std::unique_ptr<void, int (*)(void*)> compressor(tjInitCompress(), tjDestroy);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  const bool grey = shape.channels == 1;
  EXPECT_EQ(
      tjCompress2(compressor.get(), pixels.data(), static_cast<int>(shape.width), 0, static_cast<int>(shape.height),
                  grey ? TJPF_GRAY : TJPF_RGB, &file, &size, grey ? TJSAMP_GRAY : subsampling, quality, flags),
      0);
  std::vector<std::uint8_t> bytes(file, file + size);
  tjFree(file);
  return bytes;
}

/// The whole picture, reduced.
inline std::vector<std::uint8_t> decoded_whole(const std::vector<std::uint8_t>& file, const ImageShape& shape,
                                               int reduction) {
  const std::unique_ptr<void, int (*)(void*)> decompressor(tjInitDecompress(), tjDestroy);
  const auto width = static_cast<int>((shape.width + reduction - 1) / reduction);
  const auto height = static_cast<int>((shape.height + reduction - 1) / reduction);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width * height * shape.channels));
  EXPECT_EQ(tjDecompress2(decompressor.get(), file.data(), file.size(), pixels.data(), width, 0, height,
                          shape.channels == 1 ? TJPF_GRAY : TJPF_RGB, 0),
            0);
  return pixels;
}

}  // namespace lockstep::testing
