#include "lockstep/config/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "config/option_values.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/near_name.hpp"

namespace lockstep {
namespace po = boost::program_options;
namespace {

/// With one of these nothing else is required: the run or the data set that it names has said it.
constexpr std::string_view instead_of_required[] = {"resume", "from", "audit", "verify", "predictions"};
constexpr std::string_view switches[] = {"help", "help-all", "help-markdown", "print-config"};

const OptionRow* find_row(Command command, std::string_view name) {
  for (const OptionRow& row : option_table()) {
    if (row.name == name && takes(command, row)) return &row;
  }
  return nullptr;
}

/// Whether a config file may say `name` although the command has no such option: it's the file of another command.
bool passes_over(Command command, std::string_view name) {
  for (const CommandRow& other : command_table()) {
    const bool taken = (row_of(command).reads & static_cast<unsigned>(other.command)) != 0;
    if (taken && find_row(other.command, name) != nullptr) return true;
  }
  return false;
}

std::string nearest_hint(Command command, std::string_view name) {
  std::vector<std::string> names;
  for (const OptionRow& row : option_table()) {
    if (takes(command, row)) names.emplace_back(row.name);
  }
  const std::string nearest = nearest_name(name, names);
  const auto help = fmt::format("lockstep {} --help-all lists what there is", row_of(command).name);
  return nearest.empty() ? help : fmt::format("did you mean {}? {}", nearest, help);
}

po::options_description description_of(Command command) {
  po::options_description description;
  auto add = description.add_options();
  add("config", po::value<std::string>());
  for (const std::string_view name : switches) add(std::string(name).c_str(), po::bool_switch());
  for (const OptionRow& row : option_table()) {
    if (!takes(command, row)) continue;
    if (row.type == OptionType::path_list) {
      add(std::string(row.name).c_str(), po::value<std::vector<std::string>>()->composing());
      continue;
    }
    auto* value = po::value<std::string>();
    if (row.type == OptionType::flag) value->implicit_value("true");
    add(std::string(row.name).c_str(), value);
  }
  return description;
}

/// --no-NAME of a switch becomes --NAME=false, and the value of a switch never is the next word.
std::vector<std::string> expand_negations(Command command, const std::vector<std::string>& words) {
  std::vector<std::string> expanded;
  for (const std::string& word : words) {
    const OptionRow* row = word.starts_with("--no-") ? find_row(command, std::string_view(word).substr(5)) : nullptr;
    expanded.push_back(row && row->type == OptionType::flag ? "--" + std::string(row->name) + "=false" : word);
  }
  return expanded;
}

/// The options that bare words stand for.
po::positional_options_description bare_words(Command command) {
  po::positional_options_description description;
  const std::string_view words = row_of(command).words;
  if (words.empty()) return description;
  for (const std::string& name : split_list(words)) description.add(name.c_str(), 1);
  return description;
}

po::variables_map parse_words(Command command, const std::vector<std::string>& words) {
  const auto help = fmt::format("lockstep {} --help shows how it is used", row_of(command).name);
  try {
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing &
                      ~po::command_line_style::allow_short;
    const po::options_description description = description_of(command);
    const po::positional_options_description positions = bare_words(command);
    po::variables_map map;
    po::store(po::command_line_parser(expand_negations(command, words))
                  .options(description)
                  .positional(positions)
                  .style(style)
                  .run(),
              map);
    return map;
  } catch (const po::unknown_option& error) {
    std::string name = error.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    throw usage_error(fmt::format("there is no option --{}", name), "command line", nearest_hint(command, name));
  } catch (const po::too_many_positional_options_error&) {
    throw usage_error("a word that belongs to no option", "command line", help);
  } catch (const po::error& error) {
    throw usage_error(error.what(), "command line", help);
  }
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

Options Options::parse(Command command, const std::vector<std::string>& words) {
  Options options(command);
  const po::variables_map map = parse_words(command, words);
  if (map.count("config") != 0) {
    const auto file = map["config"].as<std::string>();
    options.read_ini(read_file(file, 1 << 20), file);
  }
  bool asks_only = false;
  for (const std::string_view name : switches) {
    const bool given = map[std::string(name)].as<bool>();
    options.values_[std::string(name)] = {given ? "true" : "false", ""};
    asks_only = asks_only || given;
  }
  for (const auto& [name, value] : map) {
    const OptionRow* row = find_row(command, name);
    if (row == nullptr) continue;
    const bool list = row->type == OptionType::path_list;
    options.set(name, list ? join_paths(value.as<std::vector<std::string>>()) : value.as<std::string>(),
                "command line");
  }
  const bool is_said_elsewhere =
      std::ranges::any_of(instead_of_required, [&](std::string_view name) { return options.has(name); });
  options.fill_defaults(!asks_only && !is_said_elsewhere);
  return options;
}

Options Options::from_values(Command command, const std::map<std::string, std::string>& values) {
  Options options(command);
  for (const auto& [name, text] : values) options.set(name, text, "given values");
  options.fill_defaults(true);
  return options;
}

Options Options::from_ini(Command command, std::string_view text, const std::string& origin) {
  Options options(command);
  options.read_ini(text, origin);
  options.fill_defaults(true);
  return options;
}

void Options::set(const std::string& name, const std::string& text, const std::string& origin) {
  const OptionRow* row = find_row(command_, name);
  if (row == nullptr)
    throw usage_error(fmt::format("there is no option {}", name), origin, nearest_hint(command_, name));
  const std::string fault = fault_of(*row, text);
  if (!fault.empty()) throw usage_error(fault, fmt::format("--{} ({})", name, origin), fix_for(*row));
  values_[name] = {text, origin};
}

void Options::read_ini(std::string_view text, const std::string& origin) {
  std::string section;
  int number = 0;
  std::map<std::string, int> seen;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto where = fmt::format("{}:{}", origin, ++number);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      section = trimmed(line.substr(1, line.size() - 2));
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      throw usage_error(fmt::format("'{}' is neither a section nor key = value", line), where, "write key = value");
    }
    const std::string name(trimmed(line.substr(0, equals)));
    const OptionRow* row = find_row(command_, name);
    if (row != nullptr && row->group.empty()) {
      throw usage_error(fmt::format("{} can't stand in a config file", name), where,
                        fmt::format("give --{} on the command line", name));
    }
    if (row != nullptr && !section.empty() && section != row->group) {
      throw usage_error(fmt::format("{} stands in section [{}]", name, section), where,
                        fmt::format("move it to [{}] or leave sections out", row->group));
    }
    std::string said(trimmed(line.substr(equals + 1)));
    const auto [first, fresh] = seen.emplace(name, number);
    if (!fresh && row != nullptr && row->type == OptionType::path_list) {
      said = join_paths({this->text(name), said});
    } else if (!fresh) {
      throw usage_error(fmt::format("{} is set twice (line {} too)", name, first->second), where, "keep one of them");
    }
    if (row == nullptr && passes_over(command_, name)) continue;
    set(name, said, where);
  }
}

void Options::fill_defaults(bool require) {
  for (const OptionRow& row : option_table()) {
    const std::string name(row.name);
    if (!takes(command_, row) || values_.contains(name)) continue;
    if (row.required && require) {
      throw usage_error(fmt::format("--{} is missing", name), "command line and config",
                        fmt::format("give --{} {}: {}", name, row.value, row.help));
    }
    if (!row.fallback.empty()) values_[name] = {std::string(row.fallback), ""};
  }
}

const Options::Value& Options::value(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) throw defect(fmt::format("option {} has no value", name), "Options");
  return found->second;
}

bool Options::said(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && !found->second.origin.empty();
}
bool Options::changed(std::string_view name) const {
  return said(name) && text(name) != find_row(command_, name)->fallback;
}
bool Options::has(std::string_view name) const { return values_.contains(name); }
std::string Options::text(std::string_view name) const { return value(name).text; }
std::filesystem::path Options::path(std::string_view name) const { return value(name).text; }

std::vector<std::filesystem::path> Options::paths(std::string_view name) const {
  const std::vector<std::string> texts = split_paths(value(name).text);
  return {texts.begin(), texts.end()};
}

bool Options::flag(std::string_view name) const { return parse_flag(value(name).text).value(); }
std::int64_t Options::integer(std::string_view name) const { return parse_integer(value(name).text).value(); }
double Options::real(std::string_view name) const { return parse_real(value(name).text).value(); }
std::vector<std::string> Options::texts(std::string_view name) const { return split_list(value(name).text); }

std::vector<std::int64_t> Options::integers(std::string_view name) const {
  std::vector<std::int64_t> numbers;
  for (const std::string& part : texts(name)) numbers.push_back(parse_integer(part).value());
  return numbers;
}

std::vector<double> Options::reals(std::string_view name) const {
  std::vector<double> numbers;
  for (const std::string& part : texts(name)) numbers.push_back(parse_real(part).value());
  return numbers;
}

void Options::reject(std::string_view name, const std::string& what, const std::string& hint) const {
  const auto found = values_.find(name);
  const bool given = found != values_.end() && !found->second.origin.empty();
  throw usage_error(what, fmt::format("--{} ({})", name, given ? found->second.origin : "default"), hint);
}

void Options::reject_unused(std::string_view name, bool used, std::string_view needs) const {
  if (!used && changed(name))
    reject(name, fmt::format("has no effect without {}", needs), fmt::format("leave it out, or give {}", needs));
}

Options Options::over(const Options& base) const {
  Options merged = base;
  for (const auto& [name, value] : values_) {
    if (!value.origin.empty() || !merged.values_.contains(name)) merged.values_[name] = value;
  }
  return merged;
}

Options Options::with(const std::string& name, const std::string& text) const {
  Options changed = *this;
  changed.set(name, text, "program");
  return changed;
}

Options Options::without(const std::string& name) const {
  Options changed = *this;
  changed.values_.erase(name);
  changed.fill_defaults(false);
  return changed;
}

Options Options::as(Command command) const {
  Options other(command);
  for (const auto& [name, value] : values_) {
    if (find_row(command, name) != nullptr) other.values_[name] = value;
  }
  other.fill_defaults(true);
  return other;
}

std::vector<std::string> Options::differences(const Options& other) const {
  std::vector<std::string> names;
  for (const OptionRow& row : option_table()) {
    const std::string name(row.name);
    if (!takes(command_, row) || std::ranges::find(names, name) != names.end()) continue;
    const auto mine = values_.find(name), theirs = other.values_.find(name);
    const bool same = mine == values_.end() || theirs == other.values_.end()
                          ? (mine == values_.end()) == (theirs == other.values_.end())
                          : canonical(row, mine->second.text) == canonical(row, theirs->second.text);
    if (!same) names.push_back(name);
  }
  return names;
}

Options Options::with_absolute_paths() const {
  Options absolute = *this;
  for (auto& [name, value] : absolute.values_) {
    const OptionRow* row = find_row(command_, name);
    if (row == nullptr || (row->type != OptionType::path && row->type != OptionType::path_list)) continue;
    std::vector<std::string> paths = split_paths(value.text);
    for (std::string& path : paths) path = std::filesystem::absolute(path).lexically_normal().string();
    value.text = join_paths(paths);
  }
  return absolute;
}

std::string Options::to_ini() const {
  std::ostringstream ini;
  ini << "# lockstep " << row_of(command_).name << ", every option; runs again with: lockstep " << row_of(command_).name
      << " --config THIS" << (command_ == Command::train ? " --run NEW" : "") << "\n";
  std::vector<std::string_view> groups;
  for (const OptionRow& row : option_table()) {
    if (takes(command_, row) && !row.group.empty() &&
        std::find(groups.begin(), groups.end(), row.group) == groups.end())
      groups.push_back(row.group);
  }
  for (const std::string_view group : groups) {
    ini << "\n[" << group << "]\n";
    for (const OptionRow& row : option_table()) {
      if (!takes(command_, row) || row.group != group || !has(row.name)) continue;
      const bool list = row.type == OptionType::path_list;
      for (const std::string& part : list ? split_paths(text(row.name)) : std::vector{text(row.name)})
        ini << row.name << " = " << part << "\n";
    }
  }
  return ini.str();
}

}  // namespace lockstep
