#include "preprocess/decode.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "preprocess/jpeg.hpp"
#include "preprocess/png.hpp"
#include "preprocess/simple_formats.hpp"

namespace lockstep::preprocess {
namespace {

using namespace std::string_view_literals;

using Decoder = Picture (*)(std::span<const std::uint8_t>, const DecodeRequest&);

/// How a format is told: `magic` at byte `at`. A format without a decoder is known only to be refused by its name.
struct Format {
  std::size_t at;
  std::string_view magic;
  std::string_view name;
  Decoder decode;
};

constexpr std::array formats = {
    Format{0, "\xFF\xD8"sv, "JPEG", decode_jpeg}, Format{0, "\x89PNG\r\n\x1A\n"sv, "PNG", decode_png},
    Format{0, "BM"sv, "BMP", decode_bmp},         Format{0, "P1"sv, "PNM", decode_pnm},
    Format{0, "P2"sv, "PNM", decode_pnm},         Format{0, "P3"sv, "PNM", decode_pnm},
    Format{0, "P4"sv, "PNM", decode_pnm},         Format{0, "P5"sv, "PNM", decode_pnm},
    Format{0, "P6"sv, "PNM", decode_pnm},         Format{8, "WEBPVP8"sv, "WebP", decode_webp},
    Format{0, "GIF8"sv, "GIF", nullptr},          Format{0, "II*\0"sv, "TIFF", nullptr},
    Format{0, "MM\0*"sv, "TIFF", nullptr},        Format{4, "ftypheic"sv, "HEIC", nullptr},
    Format{4, "ftypmif1"sv, "HEIF", nullptr},     Format{4, "ftypavif"sv, "AVIF", nullptr},
    Format{0, "\xFF\x0A"sv, "JPEG XL", nullptr},  Format{4, "JXL "sv, "JPEG XL", nullptr},
    Format{4, "jP  "sv, "JPEG 2000", nullptr},    Format{0, "8BPS"sv, "Photoshop", nullptr},
    Format{0, "%PDF"sv, "PDF", nullptr},
};

bool has_magic(std::string_view file, const Format& format) {
  return file.size() >= format.at && file.substr(format.at).starts_with(format.magic);
}

}  // namespace

void check_pixels(std::int64_t width, std::int64_t height, std::int64_t most) {
  if (width < 1 || height < 1) throw Refusal(fmt::format("a size of {} × {} pixels", width, height));
  if (width <= most / height) return;
  throw Refusal(
      fmt::format("{} × {} pixels, at most {} million are accepted (--max-pixels)", width, height, most / 1'000'000));
}

Picture decode_image(std::span<const std::uint8_t> file, const DecodeRequest& request) {
  if (file.empty()) throw Refusal("an empty file");
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (const Format& format : formats) {
    if (!has_magic(text, format)) continue;
    if (format.decode != nullptr) return format.decode(file, request);
    throw Refusal(fmt::format("{} is not supported: convert it to PNG or JPEG", format.name));
  }
  throw Refusal("not an image of a known format");
}

}  // namespace lockstep::preprocess
