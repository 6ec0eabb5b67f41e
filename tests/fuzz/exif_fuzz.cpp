// EXIF blocks, alone and inside a JPEG's header: an orientation from 1 to 8, whatever the bytes.
#include "fuzz/target.hpp"
#include "preprocess/exif.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep::preprocess;
  const std::span<const std::uint8_t> bytes(data, size);
  for (const std::span<const std::uint8_t> block : {bytes, exif_of_jpeg(bytes)}) {
    const int orientation = exif_orientation(block);
    if (orientation < 1 || orientation > 8) std::abort();
  }
  return 0;
}
