#include "preprocess/class_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/json_fault.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep::preprocess {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_hint =
    "a line a class (code, blank or comma, name) or JSON ({\"code\": \"name\"} or {\"0\": [\"code\", \"name\"]}) is "
    "expected";

std::string_view without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) text = text.substr(1, text.size() - 2);
  return text;
}

std::string first_synonym(std::string_view name) {
  return std::string(trimmed(without_quotes(trimmed(name)).substr(0, without_quotes(trimmed(name)).find(','))));
}

/// Collects pairs and finds contradictions.
class Collector {
 public:
  explicit Collector(const std::string& file) : file_(file) {}

  void add(std::string_view code, std::string_view name, const std::string& place) {
    std::string readable = first_synonym(name);
    if (code.empty() || readable.empty()) throw Error("a class without a name", file_ + place, format_hint);
    const auto [found, fresh] = names_.try_emplace(std::string(code), readable);
    if (fresh || found->second == readable) return;
    throw Error(fmt::format("two names for '{}': '{}' and '{}'", code, found->second, readable), file_ + place,
                "keep one of them");
  }
  ClassNames take() { return std::move(names_); }

 private:
  const std::string& file_;
  ClassNames names_;
};

void read_lines(std::string_view text, Collector& collector) {
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trimmed(line);
    if (line.empty()) continue;
    const std::size_t tab = line.find('\t');
    const std::size_t separator = std::min(tab != std::string_view::npos ? tab : line.find_first_of(", "), line.size());
    collector.add(trimmed(without_quotes(line.substr(0, separator))), line.substr(std::min(separator + 1, line.size())),
                  fmt::format(":{}", number));
  }
}

void read_entry(const std::string& key, const Json& value, const std::string& file, Collector& collector) {
  const std::string place = fmt::format(": \"{}\"", key);
  if (value.is_string()) return collector.add(key, value.get<std::string>(), place);
  const bool pair = value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string();
  if (!pair) throw Error("neither a name nor a pair of code and name", file + place, format_hint);
  collector.add(value[0].get<std::string>(), value[1].get<std::string>(), place);
}

void read_json(std::string_view text, const std::string& file, Collector& collector) {
  Json root;
  try {
    root = Json::parse(text);
  } catch (const Json::exception& error) {
    throw Error(fmt::format("not JSON: {}", json_fault(error)), file, format_hint);
  }
  for (const auto& [key, value] : root.items()) read_entry(key, value, file, collector);
}

}  // namespace

ClassNames parse_class_names(std::string_view text, const std::string& file) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!is_utf8(text)) throw Error("text that is not UTF-8", file, "save the file as UTF-8");
  Collector collector(file);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) throw Error("an empty file", file, format_hint);
  if (text[first] == '{' || text[first] == '[') {
    read_json(text, file, collector);
  } else {
    read_lines(text, collector);
  }
  return collector.take();
}

ClassNames read_class_names(const std::filesystem::path& file) {
  constexpr std::uint64_t largest = std::uint64_t{1} << 26;
  return parse_class_names(read_file(file, largest), file.string());
}

ClassNames with_names_of_last_parts(ClassNames names, const std::vector<std::string>& classes) {
  const auto last_part = [](const std::string& code) { return code.substr(code.find_last_of('/') + 1); };
  std::map<std::string, int> uses;
  for (const std::string& code : classes) ++uses[last_part(code)];
  for (const std::string& code : classes) {
    const auto name = names.find(last_part(code));
    if (uses[last_part(code)] == 1 && name != names.end()) names.try_emplace(code, name->second);
  }
  return names;
}

std::vector<std::string> renamed(const std::vector<std::string>& classes, const ClassNames& names,
                                 const std::string& file) {
  std::vector<std::string> missing;
  std::map<std::string, int> uses;
  for (const std::string& code : classes) {
    const auto name = names.find(code);
    if (name == names.end()) missing.push_back(fmt::format("'{}'", code));
    if (name != names.end()) ++uses[name->second];
  }
  if (!missing.empty()) {
    throw Error(
        fmt::format("{} of {} classes have no name here: {}", missing.size(), classes.size(), first_of(missing, 10)),
        file, "add them to the file that --class-names names, code first");
  }
  std::vector<std::string> readable;
  for (const std::string& code : classes) {
    const std::string& name = names.at(code);
    readable.push_back(uses[name] > 1 ? fmt::format("{} ({})", name, code) : name);
  }
  if (std::set<std::string>(readable.begin(), readable.end()).size() == readable.size()) return readable;
  throw Error("two classes get the same name", file, "give every class a name of its own");
}

}  // namespace lockstep::preprocess
