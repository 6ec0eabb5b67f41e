// JPEG files, with stray bytes, EXIF and every reduction while decoding: a picture of 8 bits and the channels asked
// for, or a Refusal.
#include "fuzz/target.hpp"
#include "preprocess/jpeg.hpp"

/// Byte 0: what is asked for.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  if (size < 3) return 0;  // two bytes told the format
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  preprocess::DecodeRequest request;
  request.channels = (data[0] & 1) != 0 ? 3 : 1;
  request.least_side = data[0] >> 1;
  request.most_pixels = 1 << 20;
  return fuzz::run([&] {
    const preprocess::Picture picture = preprocess::decode_jpeg(bytes, request);
    if (picture.pixels.empty() || picture.pixels.type() != (request.channels == 3 ? CV_8UC3 : CV_8UC1)) std::abort();
  });
}
