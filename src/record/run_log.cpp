#include "lockstep/record/run_log.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lockstep/core/files.hpp"

namespace lockstep {
namespace {

LogLine line_of(const nlohmann::json& json) {
  std::map<std::string, LogLine::Value, std::less<>> values;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) values.emplace(name, value.get<std::string>());
    if (value.is_number()) values.emplace(name, value.get<double>());
    if (value.is_boolean()) values.emplace(name, value.get<bool>());
  }
  return LogLine(std::move(values));
}

template <typename Kind>
const Kind* held(const std::map<std::string, LogLine::Value, std::less<>>& values, std::string_view name) {
  const auto found = values.find(name);
  return found == values.end() ? nullptr : std::get_if<Kind>(&found->second);
}

bool ends_a_start(std::string_view event) { return event == "stopped" || event == "failed" || event == "finished"; }

}  // namespace

std::string LogLine::text(std::string_view name) const {
  const auto* value = held<std::string>(values_, name);
  return value == nullptr ? std::string() : *value;
}

std::optional<double> LogLine::number(std::string_view name) const {
  const auto* value = held<double>(values_, name);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

bool LogLine::flag(std::string_view name) const {
  const auto* value = held<bool>(values_, name);
  return value != nullptr && *value;
}

std::vector<LogLine> read_run_log(const std::filesystem::path& file, std::initializer_list<std::string_view> events) {
  const std::string text = read_file(file);
  std::vector<LogLine> lines;
  std::int64_t resumed_step = -1;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const auto json = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                            text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    begin = end + 1;
    if (!json.is_object()) continue;
    LogLine line = line_of(json);
    if (line.event() == "resumed") {
      resumed_step = line.integer("step");
      std::erase_if(lines, [&](const LogLine& earlier) { return earlier.integer("step") > resumed_step; });
    } else if (line.integer("step") == resumed_step && !ends_a_start(line.event())) {
      std::erase_if(lines, [&](const LogLine& earlier) {
        return earlier.integer("step") == resumed_step && earlier.event() == line.event();
      });
    }
    if (events.size() == 0 || std::ranges::find(events, line.event()) != events.end()) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace lockstep
