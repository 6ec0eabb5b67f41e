#include "lockstep/core/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace lockstep {

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    const int following = lead < 0x80                   ? 0
                          : lead >= 0xC2 && lead < 0xE0 ? 1
                          : (lead & 0xF0) == 0xE0       ? 2
                          : lead >= 0xF0 && lead < 0xF5 ? 3
                                                        : -1;
    if (following < 0) return false;
    for (int i = 0; i < following; ++i, ++at) {
      if (at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) return false;
    }
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return c < 128 ? std::tolower(c) : c; });
  return lower;
}

std::string first_of(const std::vector<std::string>& texts, std::size_t most) {
  if (texts.size() <= most) return fmt::format("{}", fmt::join(texts, ", "));
  const auto shown = texts.begin() + static_cast<std::ptrdiff_t>(most);
  return fmt::format("{} … and {} more", fmt::join(texts.begin(), shown, ", "), texts.size() - most);
}

}  // namespace lockstep
