#include "lockstep/record/crc32c.hpp"

#include <array>

namespace lockstep {
namespace {

/// [byte] the remainder of that byte alone.
constexpr std::array<std::uint32_t, 256> remainders = [] {
  constexpr std::uint32_t reflected_polynomial = 0x82F63B78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ reflected_polynomial : value >> 1;
    table[byte] = value;
  }
  return table;
}();

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t value = 0xFFFFFFFF;
  for (const char byte : bytes) value = remainders[(value ^ static_cast<std::uint8_t>(byte)) & 0xFF] ^ (value >> 8);
  return ~value;
}

}  // namespace lockstep
