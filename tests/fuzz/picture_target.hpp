// What the targets of picture formats share: a request taken from the first byte, and what a decoder may give for it.
#pragma once
#include "fuzz/target.hpp"
#include "preprocess/decode.hpp"

namespace lockstep::fuzz {

/// Byte 0 says what is asked for, the rest is the file: a picture of 8 bits and those channels, or a Refusal.
template <typename Decoder>
int decode(const std::uint8_t* data, std::size_t size, const Decoder& decoder) {
  if (size < 3) return 0;  // two bytes told the format
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  preprocess::DecodeRequest request;
  request.channels = (data[0] & 1) != 0 ? 3 : 1;
  request.least_side = data[0] >> 1;
  request.most_pixels = 1 << 20;
  return run([&] {
    const preprocess::Picture picture = decoder(bytes, request);
    if (picture.pixels.empty() || picture.pixels.type() != (request.channels == 3 ? CV_8UC3 : CV_8UC1)) std::abort();
  });
}

}  // namespace lockstep::fuzz
