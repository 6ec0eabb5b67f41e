#include "lockstep/data/jpeg_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <jpeglib.h>  // needs <cstddef> and <cstdio> before it

namespace lockstep {

/// The library reports errors through a C callback that may not return: it jumps back to guarded().
struct JpegDecoder::State {
  jpeg_error_mgr errors{};
  jpeg_decompress_struct info{};
  std::jmp_buf back{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  std::vector<std::uint8_t> pixels;

  State() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr library) { leave(library); };
    errors.emit_message = [](j_common_ptr library, int level) {
      if (level < 0) leave(library);  // a warning: the library would go on with made-up pixels
    };
    if (!guarded([this] { jpeg_create_decompress(&info); })) throw JpegFault(message.data());
  }
  ~State() { jpeg_destroy_decompress(&info); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[noreturn]] static void leave(j_common_ptr library) {
    auto* state = static_cast<State*>(library->client_data);
    state->errors.format_message(library, state->message.data());
    std::longjmp(state->back, 1);
  }

  /// Whether `work` came to its end. It may hold nothing that wants to be destroyed: a jump passes over it.
  template <typename Work>
  bool guarded(const Work& work) {
    if (setjmp(back) != 0) return false;
    work();
    return true;
  }

  template <typename Work>
  void demand(const Work& work) {
    if (guarded(work)) return;
    jpeg_abort_decompress(&info);
    throw JpegFault(message.data());
  }

  void check(const ImageShape& shape);
  PixelBox start(const PixelBox& part, int reduction);
  void read(const PixelBox& box);
};

void JpegDecoder::State::check(const ImageShape& shape) {
  const std::int64_t width = info.image_width, height = info.image_height, channels = info.num_components;
  std::string fault;
  if (width != shape.width || height != shape.height || channels != shape.channels) {
    fault = fmt::format("it has {}×{} pixels of {} channels, the data set {}×{} of {}", width, height, channels,
                        shape.width, shape.height, shape.channels);
  } else if (jpeg_has_multiple_scans(&info) || info.arith_code) {
    fault = "it is no baseline JPEG";
  }
  if (fault.empty()) return;
  jpeg_abort_decompress(&info);
  throw JpegFault(fault);
}

/// Decoding begins; returns what will be decoded, in whole blocks.
PixelBox JpegDecoder::State::start(const PixelBox& part, int reduction) {
  info.out_color_space = info.num_components == 3 ? JCS_RGB : JCS_GRAYSCALE;
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(reduction);
  PixelBox box;
  demand([&] {
    jpeg_start_decompress(&info);
    const std::int64_t width = info.output_width, height = info.output_height;
    // Chroma between two of its pixels is made of both: a pixel more on each side lets the edge come out as in a full
    // decode.
    const std::int64_t left = std::max<std::int64_t>(part.left - 1, 0);
    const std::int64_t right = std::min(part.left + part.width + 1, width);
    const std::int64_t bottom = std::min(part.top + part.height, height);
    auto aligned = static_cast<JDIMENSION>(left), columns = static_cast<JDIMENSION>(right - left);
    jpeg_crop_scanline(&info, &aligned, &columns);
    box = {part.top, aligned, bottom - part.top, info.output_width};
    jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(part.top));
  });
  return box;
}

void JpegDecoder::State::read(const PixelBox& box) {
  const std::int64_t line = box.width * info.output_components;
  const auto size = static_cast<std::size_t>(box.height * line);
  if (pixels.size() < size) pixels.resize(size);
  demand([&] {
    constexpr std::int64_t most = 4;  // as many as the library makes at once
    for (std::int64_t y = 0; y < box.height;) {
      JSAMPROW rows[most];
      for (std::int64_t i = 0; i < most; ++i) rows[i] = pixels.data() + std::min(y + i, box.height - 1) * line;
      y += jpeg_read_scanlines(&info, rows, static_cast<JDIMENSION>(std::min(most, box.height - y)));
    }
    jpeg_abort_decompress(&info);
  });
}

JpegDecoder::JpegDecoder() = default;
JpegDecoder::~JpegDecoder() = default;
JpegDecoder::JpegDecoder(JpegDecoder&&) noexcept = default;
JpegDecoder& JpegDecoder::operator=(JpegDecoder&&) noexcept = default;

PixelView JpegDecoder::decode(std::span<const std::uint8_t> file, const ImageShape& shape, const PixelBox& part,
                              int reduction) {
  if (!state_) state_ = std::make_unique<State>();
  State& s = *state_;
  s.demand([&] {
    jpeg_mem_src(&s.info, file.data(), file.size());
    jpeg_read_header(&s.info, TRUE);
  });
  s.check(shape);
  const PixelBox box = s.start(part, reduction);
  s.read(box);
  return {s.pixels.data(), box};
}

int jpeg_reduction(const CropBox& crop, std::int64_t side) {
  int reduction = 1;
  while (reduction < 8 && std::min(crop.height, crop.width) >= static_cast<double>(2 * reduction * side))
    reduction *= 2;
  return reduction;
}

}  // namespace lockstep
