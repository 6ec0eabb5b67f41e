#include "lockstep/core/png.hpp"

#include <zlib.h>

#include <array>
#include <cstdlib>
#include <span>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using Row = std::span<const std::uint8_t>;

constexpr std::string_view signature{"\x89PNG\r\n\x1a\n", 8};
/// Filter types, as they stand before each row.
enum class Filter : std::uint8_t { none, sub, up };

/// PNG's integers: 4 bytes, the highest first.
void put(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
}

void put_chunk(std::string& bytes, std::string_view type, std::string_view content) {
  put(bytes, static_cast<std::uint32_t>(content.size()));
  const std::size_t begin = bytes.size();
  bytes.append(type).append(content);
  const auto* checked = reinterpret_cast<const Bytef*>(bytes.data() + begin);
  put(bytes, static_cast<std::uint32_t>(crc32_z(0, checked, bytes.size() - begin)));
}

/// The row as differences to the pixel before (sub) or above (up), modulo 256, behind the filter's number.
std::string filtered(Row row, Row above, std::size_t channels, Filter filter) {
  std::string bytes(1, static_cast<char>(filter));
  bytes.reserve(row.size() + 1);
  for (std::size_t i = 0; i < row.size(); ++i) {
    int predicted = 0;
    if (filter == Filter::sub && i >= channels) predicted = row[i - channels];
    if (filter == Filter::up && !above.empty()) predicted = above[i];
    bytes.push_back(static_cast<char>(row[i] - predicted));
  }
  return bytes;
}

std::int64_t size_of_differences(const std::string& row) {
  std::int64_t sum = 0;
  for (const char difference : std::string_view(row).substr(1)) sum += std::abs(static_cast<signed char>(difference));
  return sum;
}

std::string filtered_rows(const Picture& picture) {
  const auto stride = static_cast<std::size_t>(picture.width * picture.channels);
  std::string rows;
  rows.reserve((stride + 1) * static_cast<std::size_t>(picture.height));
  Row above;
  for (std::int64_t y = 0; y < picture.height; ++y) {
    const Row row(picture.pixels.data() + static_cast<std::size_t>(y) * stride, stride);
    std::string best;
    for (const Filter filter : {Filter::none, Filter::sub, Filter::up}) {
      std::string candidate = filtered(row, above, static_cast<std::size_t>(picture.channels), filter);
      if (best.empty() || size_of_differences(candidate) < size_of_differences(best)) best = std::move(candidate);
    }
    rows += best;
    above = row;
  }
  return rows;
}

std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string packed(size, '\0');
  const int result = compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                               static_cast<uLong>(bytes.size()), Z_DEFAULT_COMPRESSION);
  if (result != Z_OK) throw std::bad_alloc();  // the one thing that can go wrong with a bound of zlib's own
  packed.resize(size);
  return packed;
}

}  // namespace

std::string png_of(const Picture& picture) {
  const std::int64_t bytes = picture.height * picture.width * picture.channels;
  if (picture.height < 1 || picture.width < 1 || (picture.channels != 1 && picture.channels != 3) ||
      bytes != static_cast<std::int64_t>(picture.pixels.size())) {
    throw defect("a picture whose pixels do not fit its size", "png_of");
  }
  std::string header;
  put(header, static_cast<std::uint32_t>(picture.width));
  put(header, static_cast<std::uint32_t>(picture.height));
  constexpr char bits = 8, grey = 0, rgb = 2, deflate = 0, usual_filters = 0, not_interlaced = 0;
  for (const char value : {bits, picture.channels == 1 ? grey : rgb, deflate, usual_filters, not_interlaced})
    header.push_back(value);

  std::string file(signature);
  put_chunk(file, "IHDR", header);
  put_chunk(file, "IDAT", deflated(filtered_rows(picture)));
  put_chunk(file, "IEND", "");
  return file;
}

}  // namespace lockstep
