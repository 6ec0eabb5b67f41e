// Columns of numbers as single pieces of CBOR, for what ranks of one program send each other: as they lie in memory,
// where nlohmann's library would take 16 bytes a number. Pure functions.
#pragma once
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace lockstep::preprocess {

template <typename Number>
nlohmann::json packed(const std::vector<Number>& numbers) {
  std::vector<std::uint8_t> bytes(numbers.size() * sizeof(Number));
  if (!bytes.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return nlohmann::json::binary(std::move(bytes));
}

/// Errors: those of nlohmann's library where it is no such column; std::out_of_range where it is cut short.
template <typename Number>
std::vector<Number> unpacked(const nlohmann::json& column) {
  const std::vector<std::uint8_t>& bytes = column.get_binary();
  if (bytes.size() % sizeof(Number) != 0) throw std::out_of_range("a column of numbers");
  std::vector<Number> numbers(bytes.size() / sizeof(Number));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

}  // namespace lockstep::preprocess
