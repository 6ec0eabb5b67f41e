// PNG files, all colour types and interlacing, checksums included.
#include "fuzz/picture_target.hpp"
#include "preprocess/png.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return lockstep::fuzz::decode(data, size, lockstep::preprocess::decode_png);
}
