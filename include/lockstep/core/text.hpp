// Small questions about text that several parts ask: UTF-8, blanks, and lists of findings kept short.
//
// Pure functions; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Whether the bytes are UTF-8, as manifest.json must be.
bool is_utf8(std::string_view text);

/// Without blanks and tabs at both ends.
std::string_view trimmed(std::string_view text);

/// ASCII letters small, the rest as it is.
std::string lower_case(std::string_view text);

/// "a, b, c" or, if there are more than `most`, "a, b … and 7 more".
std::string first_of(const std::vector<std::string>& texts, std::size_t most = 5);

}  // namespace lockstep
