// What the JSON library found wrong, without its own name in the sentence.
//
// nlohmann-json opens its messages with "[json.exception.parse_error.101] "; a user has no use for that. Thread-safe.
#pragma once
#include <exception>
#include <string>
#include <string_view>

namespace lockstep {

/// The message of a nlohmann::json::exception behind its bracketed name.
inline std::string json_fault(const std::exception& error) {
  const std::string_view text = error.what();
  const std::size_t bracket = text.find("] ");
  return std::string(text.starts_with('[') && bracket != std::string_view::npos ? text.substr(bracket + 2) : text);
}

}  // namespace lockstep
