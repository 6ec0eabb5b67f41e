#include "preprocess/simple_formats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::preprocess {
namespace {

using Bytes = std::span<const std::uint8_t>;

struct Size {
  std::int64_t width = 0, height = 0;
};

/// Little-endian number of `size` bytes at `at`. Refuses a file that ends before.
std::uint32_t number(Bytes file, std::size_t at, std::size_t size, const char* format) {
  if (file.size() < at + size) throw Refusal(std::string(format) + ": the file ends inside its header");
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint32_t{file[at + i]} << (8 * i);
  return value;
}

void check_length(Bytes file, std::int64_t needed, const char* format) {
  if (static_cast<std::int64_t>(file.size()) >= needed) return;
  throw Refusal(fmt::format("{}: {} bytes, {} expected: the file is cut short", format, file.size(), needed));
}

/// OpenCV takes any file for DICOM that has these letters here and that its other decoders don't know, and the library
/// for that ends the program where such a file is damaged (found by tests/fuzz).
void refuse_dicom(Bytes file, const char* format) {
  constexpr std::size_t place = 128;
  constexpr std::string_view letters = "DICM";
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.size() > place && text.substr(place).starts_with(letters))
    throw Refusal(std::string(format) + ": damaged, or DICOM, which is not supported");
}

Picture decode_by_opencv(Bytes file, Size size, int channels, const char* format) {
  refuse_dicom(file, format);
  const cv::Mat input(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::uint8_t*>(file.data()));
  cv::Mat pixels;
  try {
    pixels = cv::imdecode(input, channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR);
  } catch (const cv::Exception& error) {
    throw Refusal(fmt::format("{}: {}", format, error.err));
  }
  if (pixels.empty()) throw Refusal(std::string(format) + ": damaged, or of a kind that is not supported");
  if (channels == 3) {
    cv::Mat rgb(pixels.size(), CV_8UC3);
    cv::mixChannels(pixels, rgb, {0, 2, 1, 1, 2, 0});
    pixels = rgb;
  }
  return {pixels, static_cast<int>(size.width), static_cast<int>(size.height)};
}

/// The whitespace-separated numbers behind "P6", with comments between them, as PNM headers have them.
class PnmHeader {
 public:
  explicit PnmHeader(Bytes file) : file_(file) {}

  std::int64_t next() {
    skip_space();
    std::int64_t value = 0;
    const std::size_t start = at_;
    for (; at_ < file_.size() && file_[at_] >= '0' && file_[at_] <= '9' && at_ - start < 9; ++at_) {
      value = value * 10 + (file_[at_] - '0');
    }
    if (at_ == start) throw Refusal("PNM: the header is not three numbers");
    return value;
  }
  /// Where the pixels start: one byte behind the last number.
  std::size_t end() const { return at_ + 1; }

 private:
  void skip_space() {
    while (at_ < file_.size() && (is_space(file_[at_]) || file_[at_] == '#')) {
      if (file_[at_] == '#') {
        while (at_ < file_.size() && file_[at_] != '\n') ++at_;
      } else {
        ++at_;
      }
    }
  }
  static bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  Bytes file_;
  std::size_t at_ = 2;
};

/// Bytes of the pixels of a binary PNM; 0 for the text kinds, whose length does not follow from the header.
std::int64_t pnm_bytes(char kind, Size size, std::int64_t largest) {
  const std::int64_t sample = largest > 255 ? 2 : 1;
  switch (kind) {
    case '4':
      return (size.width + 7) / 8 * size.height;
    case '5':
      return size.width * size.height * sample;
    case '6':
      return 3 * size.width * size.height * sample;
    default:
      return 0;
  }
}

Size webp_size(Bytes file) {
  const std::string_view kind(reinterpret_cast<const char*>(file.data()) + 12, 4);
  const auto at = [&](std::size_t offset, std::size_t size) {
    return std::int64_t{number(file, offset, size, "WebP")};
  };
  if (kind == "VP8X") {
    constexpr std::int64_t animation = 2;
    if ((at(20, 1) & animation) != 0) throw Refusal("WebP: animations are not supported");
    return {at(24, 3) + 1, at(27, 3) + 1};
  }
  if (kind == "VP8L") return {(at(21, 4) & 0x3FFF) + 1, ((at(21, 4) >> 14) & 0x3FFF) + 1};
  return {at(26, 2) & 0x3FFF, at(28, 2) & 0x3FFF};
}

}  // namespace

Picture decode_bmp(Bytes file, const DecodeRequest& request) {
  constexpr std::uint32_t old_header = 12, uncompressed = 0;
  const auto signed_at = [&](std::size_t offset) {
    return static_cast<std::int64_t>(static_cast<std::int32_t>(number(file, offset, 4, "BMP")));
  };
  const bool old = number(file, 14, 4, "BMP") == old_header;
  Size size{old ? number(file, 18, 2, "BMP") : signed_at(18), old ? number(file, 20, 2, "BMP") : signed_at(22)};
  size.height = std::abs(size.height);  // negative: rows from the top
  check_pixels(size.width, size.height, request.most_pixels);
  const std::int64_t bits = number(file, old ? 24 : 28, 2, "BMP");
  const std::int64_t row = (size.width * bits + 31) / 32 * 4;
  const bool packed = !old && number(file, 30, 4, "BMP") != uncompressed;
  if (!packed) check_length(file, number(file, 10, 4, "BMP") + row * size.height, "BMP");
  return decode_by_opencv(file, size, request.channels, "BMP");
}

Picture decode_pnm(Bytes file, const DecodeRequest& request) {
  const char kind = static_cast<char>(file[1]);
  const bool bitmap = kind == '1' || kind == '4';
  PnmHeader header(file);
  Size size;
  size.width = header.next();
  size.height = header.next();
  const std::int64_t largest = bitmap ? 1 : header.next();
  check_pixels(size.width, size.height, request.most_pixels);
  check_length(file, static_cast<std::int64_t>(header.end()) + pnm_bytes(kind, size, largest), "PNM");
  return decode_by_opencv(file, size, request.channels, "PNM");
}

Picture decode_webp(Bytes file, const DecodeRequest& request) {
  constexpr std::string_view container = "RIFF";
  if (!std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).starts_with(container))
    throw Refusal("WebP: not in a RIFF container");
  check_length(file, std::int64_t{number(file, 4, 4, "WebP")} + 8, "WebP");
  const Size size = webp_size(file);
  check_pixels(size.width, size.height, request.most_pixels);
  return decode_by_opencv(file, size, request.channels, "WebP");
}

}  // namespace lockstep::preprocess
