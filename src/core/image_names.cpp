#include "lockstep/core/image_names.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

/// As std::filesystem::path::extension(), without making a path: asked several times for each row of a table.
std::string_view extension_of(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot);
}

bool is_image_extension(std::string_view extension) {
  constexpr std::array<std::string_view, 19> known = {"",     ".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",  ".bmp",
                                                      ".dib", ".pbm",  ".pgm",  ".ppm",  ".pnm",  ".webp", ".gif",
                                                      ".tif", ".tiff", ".heic", ".avif", ".jxl"};
  return std::ranges::find(known, lower_case(extension)) != known.end();
}

}  // namespace

bool may_be_image(const std::filesystem::path& file) { return is_image_extension(extension_of(file.native())); }

std::string without_image_extension(const std::string& path) {
  const std::string_view extension = extension_of(path);
  return is_image_extension(extension) ? path.substr(0, path.size() - extension.size()) : path;
}

}  // namespace lockstep
