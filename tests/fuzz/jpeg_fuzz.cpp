// JPEG files, with stray bytes, EXIF and every reduction while decoding.
#include "fuzz/picture_target.hpp"
#include "preprocess/jpeg.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::decode(data, size, lockstep::preprocess::decode_jpeg);
}
