// The value of one option as text: taken apart, checked against its row of the table, compared.
//
// Internal to src/config. Pure functions; thread-safe. No errors are thrown: faults are texts, values that are none are
// nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config/option_table.hpp"

namespace lockstep {

/// The parts between commas, without blanks around them.
std::vector<std::string> split_list(std::string_view text);
/// The parts of a list of paths, which any letter but a line's end may stand in; join_paths() puts them together.
std::vector<std::string> split_paths(std::string_view text);
std::string join_paths(const std::vector<std::string>& paths);
std::optional<double> parse_real(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<bool> parse_flag(std::string_view text);

/// What is wrong with `text` as a value of this option; empty: nothing.
std::string fault_of(const OptionRow& row, std::string_view text);
/// How to give it right.
std::string fix_for(const OptionRow& row);

/// Equal texts for equal values: "1e-3" and "0.001", "r1" and "./r1/". `text` has no fault.
std::string canonical(const OptionRow& row, std::string_view text);

}  // namespace lockstep
