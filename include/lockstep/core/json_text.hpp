// JSON for files that people read too: indented by two blanks, but lists of plain values in one line each.
//
// Doubles are written with the fewest digits that read back exactly, infinite ones as null; equal values are equal
// bytes. Pure function; thread-safe.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace lockstep {

/// Without a line's end behind it.
std::string json_text(const nlohmann::ordered_json& json);

}  // namespace lockstep
