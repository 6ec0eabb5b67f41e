#include "preprocess/exif.hpp"

#include <algorithm>
#include <opencv2/core.hpp>
#include <string_view>

namespace lockstep::preprocess {
namespace {

using Bytes = std::span<const std::uint8_t>;

/// Unsigned numbers of a TIFF block, in the byte order it declares; 0 behind the end.
class TiffNumbers {
 public:
  explicit TiffNumbers(Bytes bytes) : bytes_(bytes), big_endian_(bytes.size() > 1 && bytes[0] == 'M') {}

  bool valid() const {
    return bytes_.size() >= 8 && bytes_[0] == bytes_[1] && (bytes_[0] == 'I' || big_endian_) && u16(2) == 42;
  }
  std::uint32_t u16(std::size_t at) const { return number(at, 2); }
  std::uint32_t u32(std::size_t at) const { return number(at, 4); }

 private:
  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes_[at + (big_endian_ ? i : size - 1 - i)];
    return value;
  }

  Bytes bytes_;
  bool big_endian_;
};

}  // namespace

Bytes exif_of_jpeg(Bytes jpeg) {
  constexpr std::string_view signature("Exif\0\0", 6);
  constexpr std::uint8_t start_of_scan = 0xDA, application_1 = 0xE1;
  std::size_t at = 2;  // behind the start-of-image marker
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xFF && jpeg[at + 1] != start_of_scan) {
    const std::size_t length = std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];  // counts its own two bytes
    if (length < 2 || at + 2 + length > jpeg.size()) return {};
    const Bytes segment = jpeg.subspan(at + 4, length - 2);
    const bool is_exif =
        segment.size() > signature.size() && std::equal(signature.begin(), signature.end(), segment.begin());
    if (jpeg[at + 1] == application_1 && is_exif) return segment.subspan(signature.size());
    at += 2 + length;
  }
  return {};
}

int exif_orientation(Bytes tiff) {
  constexpr std::uint32_t orientation_tag = 0x0112, type_short = 3;
  constexpr std::size_t entry_bytes = 12;
  const TiffNumbers numbers(tiff);
  if (!numbers.valid()) return 1;
  const std::size_t directory = numbers.u32(4);
  const std::size_t entries = numbers.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    if (numbers.u16(entry) != orientation_tag || numbers.u16(entry + 2) != type_short) continue;
    const auto value = static_cast<int>(numbers.u16(entry + 8));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

void make_upright(cv::Mat& pixels, int orientation) {
  constexpr int mirror_columns = 1, mirror_rows = 0;  // cv::flip's codes
  switch (orientation) {
    case 2:
      cv::flip(pixels, pixels, mirror_columns);
      break;
    case 3:
      cv::rotate(pixels, pixels, cv::ROTATE_180);
      break;
    case 4:
      cv::flip(pixels, pixels, mirror_rows);
      break;
    case 5:
      cv::transpose(pixels, pixels);
      break;
    case 6:
      cv::rotate(pixels, pixels, cv::ROTATE_90_CLOCKWISE);
      break;
    case 7:
      cv::transpose(pixels, pixels);
      cv::rotate(pixels, pixels, cv::ROTATE_180);
      break;
    case 8:
      cv::rotate(pixels, pixels, cv::ROTATE_90_COUNTERCLOCKWISE);
      break;
    default:
      break;
  }
}

}  // namespace lockstep::preprocess
