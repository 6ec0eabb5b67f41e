#include "config/option_values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <filesystem>

namespace lockstep {
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    parts.emplace_back(part);
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string> split_paths(std::string_view text) {
  std::vector<std::string> paths;
  while (true) {
    const std::size_t end = text.find('\n');
    paths.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return paths;
    text.remove_prefix(end + 1);
  }
}

std::string join_paths(const std::vector<std::string>& paths) { return fmt::format("{}", fmt::join(paths, "\n")); }

std::optional<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_flag(std::string_view text) {
  for (const auto yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const auto no : {"false", "no", "off", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

namespace {

/// The same for "r1" and "./r1/".
std::string absolute_folder(std::string_view text) {
  return std::filesystem::absolute(std::filesystem::path(text) / "").lexically_normal().string();
}

std::string range_text(const OptionRow& row) {
  if (row.low > 0 && row.low < 1e-200) return fmt::format("above 0, at most {}", row.high);
  return fmt::format("{} to {}", row.low, row.high);
}

/// What is wrong with `text` as one number (or one element of a list) of this option; empty: nothing.
std::string number_fault(const OptionRow& row, std::string_view text, bool is_integer) {
  const std::optional<std::int64_t> integer = is_integer ? parse_integer(text) : std::nullopt;
  const std::optional<double> value = integer      ? static_cast<double>(*integer)
                                      : is_integer ? std::nullopt
                                                   : parse_real(text);
  if (!value) return fmt::format("'{}' is not {}", text, is_integer ? "a whole number" : "a finite number");
  if (*value < row.low || *value > row.high) return fmt::format("{} is out of range", text);
  return "";
}

std::string choice_fault(const OptionRow& row, std::string_view text) {
  std::string_view rest = row.value;
  while (true) {
    const std::size_t bar = rest.find('|');
    if (rest.substr(0, bar) == text) return "";
    if (bar == std::string_view::npos) return fmt::format("'{}' is not one of {}", text, row.value);
    rest.remove_prefix(bar + 1);
  }
}

std::string list_fault(const OptionRow& row, std::string_view text) {
  for (const std::string& part : split_list(text)) {
    std::string fault;
    if (part.empty()) fault = fmt::format("'{}' has an empty element", text);
    if (fault.empty() && row.type == OptionType::integer_list) fault = number_fault(row, part, true);
    if (fault.empty() && row.type == OptionType::real_list) fault = number_fault(row, part, false);
    if (fault.empty() && row.type == OptionType::choice_list) fault = choice_fault(row, part);
    if (!fault.empty()) return fault;
  }
  return "";
}

}  // namespace

std::string fault_of(const OptionRow& row, std::string_view text) {
  if (text.empty()) return "an empty value";
  switch (row.type) {
    case OptionType::text:
    case OptionType::path:
      return "";
    case OptionType::path_list:
      for (const std::string& path : split_paths(text)) {
        if (path.empty()) return "an empty path";
      }
      return "";
    case OptionType::choice:
      return choice_fault(row, text);
    case OptionType::flag:
      return parse_flag(text) ? "" : fmt::format("'{}' is neither true nor false", text);
    case OptionType::integer:
      return number_fault(row, text, true);
    case OptionType::real:
      return number_fault(row, text, false);
    case OptionType::integer_list:
    case OptionType::real_list:
    case OptionType::choice_list:
    case OptionType::text_list:
      return list_fault(row, text);
  }
  return "";
}

std::string fix_for(const OptionRow& row) {
  switch (row.type) {
    case OptionType::integer:
    case OptionType::integer_list:
    case OptionType::real:
    case OptionType::real_list:
      return fmt::format("give {} ({})", row.value, range_text(row));
    case OptionType::choice:
    case OptionType::choice_list:
      return fmt::format("choose from {}", row.value);
    case OptionType::flag:
      return "write true or false";
    default:
      return fmt::format("give {}", row.value);
  }
}

std::string canonical(const OptionRow& row, std::string_view text) {
  switch (row.type) {
    case OptionType::path:
      return absolute_folder(text);
    case OptionType::path_list: {
      std::vector<std::string> paths = split_paths(text);
      for (std::string& path : paths) path = absolute_folder(path);
      return join_paths(paths);
    }
    case OptionType::flag:
      return parse_flag(text).value_or(false) ? "true" : "false";
    case OptionType::integer:
      return fmt::format("{}", parse_integer(text).value_or(0));
    case OptionType::real:
      return fmt::format("{}", parse_real(text).value_or(0));
    case OptionType::integer_list:
    case OptionType::real_list:
    case OptionType::choice_list:
    case OptionType::text_list: {
      std::vector<std::string> parts = split_list(text);
      if (row.type == OptionType::integer_list || row.type == OptionType::real_list) {
        for (std::string& part : parts) part = fmt::format("{}", parse_real(part).value_or(0));
      }
      return fmt::format("{}", fmt::join(parts, ","));
    }
    default:
      return std::string(text);
  }
}

}  // namespace lockstep
