// CRC-32C (Castagnoli), the checksum of event files' records.
//
// Polynomial 0x1EDC6F41 in its reflected form, start and end inverted, as RFC 3720 (12.1, test values in B.4) defines it
// for iSCSI. Pure; thread-safe.
#pragma once
#include <cstdint>
#include <string_view>

namespace lockstep {

std::uint32_t crc32c(std::string_view bytes);

}  // namespace lockstep
