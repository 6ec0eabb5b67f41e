// Stored JPEG files as training reads them: any part of them at any reduction, by one decoder that must survive every
// file before.
#include "fuzz/target.hpp"
#include "lockstep/data/jpeg_decoder.hpp"

/// Byte 0: reduction and channels; bytes 1 to 4: top, left, height and width of the part.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static JpegDecoder decoder;
  if (size < 6) return 0;
  const ImageShape shape{fuzz::picture_height, fuzz::picture_width, (data[0] & 4) != 0 ? 3 : 1};
  const int reduction = 1 << (data[0] & 3);
  const std::int64_t height = (shape.height + reduction - 1) / reduction,
                     width = (shape.width + reduction - 1) / reduction;
  PixelBox part{data[1] % height, data[2] % width, 0, 0};
  part.height = 1 + data[3] % (height - part.top);
  part.width = 1 + data[4] % (width - part.left);
  return fuzz::run([&] {
    try {
      const PixelView view = decoder.decode({data + 5, size - 5}, shape, part, reduction);
      const bool inside = view.box.top <= part.top && view.box.left <= part.left &&
                          view.box.top + view.box.height >= part.top + part.height &&
                          view.box.left + view.box.width >= part.left + part.width;
      if (!inside) std::abort();
      unsigned sum = 0;  // every pixel that was promised can be read
      for (std::int64_t i = 0; i < view.box.height * view.box.width * shape.channels; ++i) sum += view.pixels[i];
      if (sum == UINT32_MAX) std::abort();
    } catch (const JpegFault&) {
    }
  });
}
