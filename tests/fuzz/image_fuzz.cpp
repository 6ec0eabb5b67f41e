// BMP, PNM and WebP files, and how a format is told from its first bytes.
#include "fuzz/picture_target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::decode(data, size, lockstep::preprocess::decode_image);
}
