// Everything a person reads about the options, made from the table.
#include <fmt/format.h>

#include <algorithm>

#include "lockstep/config/options.hpp"

namespace lockstep {
namespace {

/// Characters a terminal shows: bytes that do not continue a UTF-8 sequence.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string default_note(const OptionRow& row) {
  if (row.required) return " (required)";
  if (row.fallback.empty() || row.type == OptionType::flag) return row.fallback == "true" ? " [on]" : "";
  return fmt::format(" [{}]", row.fallback);
}

constexpr std::size_t widest = 100;  // columns, of the left one

/// Many choices go on in the next line.
std::string wrapped(std::string text) {
  constexpr std::size_t indent = 6;
  for (std::size_t line = 0; columns(text.substr(line)) > widest;) {
    const std::size_t bar = text.rfind('|', line + widest);
    if (bar == std::string::npos || bar < line + indent) break;
    text.insert(bar + 1, fmt::format("\n{:{}}", "", indent));
    line = bar + 2;
  }
  return text;
}

std::string left_column(const OptionRow& row, bool all) {
  if (row.type == OptionType::flag) return fmt::format("  --[no-]{}", row.name);
  const std::string text = fmt::format("  --{} {}", row.name, row.value);
  if (columns(text) <= widest) return text;
  return all ? wrapped(text) : fmt::format("  --{} NAME (--help-all: which)", row.name);
}

std::string option_line(const OptionRow& row, bool all) {
  constexpr std::size_t width = 38;
  const std::string left = left_column(row, all);
  const std::size_t used = columns(left);
  if (used + 1 >= width) return fmt::format("{}\n{:{}}{}{}\n", left, "", width, row.help, default_note(row));
  return fmt::format("{}{:{}}{}{}\n", left, "", width - used, row.help, default_note(row));
}

}  // namespace

std::optional<std::string> answer_to_questions(const Options& options) {
  if (options.flag("help") || options.flag("help-all")) return help_text(options.command(), options.flag("help-all"));
  if (options.flag("help-markdown")) return markdown_table(options.command());
  if (options.flag("print-config")) return options.to_ini();
  return std::nullopt;
}

std::string help_text(Command command, bool all) {
  const CommandRow& row = row_of(command);
  std::string text = fmt::format("lockstep {}: {}\n\nusage: {}\n\n", row.name, row.summary, row.usage);
  bool hidden = false;
  for (const OptionRow& option : option_table()) {
    if (!is_own(command, option)) continue;
    hidden = hidden || !option.common;
    if (all || option.common) text += option_line(option, all);
  }
  text += "  --config FILE                       read options from an INI file; the command line wins\n";
  text += "  --print-config                      show every option with its value, then stop\n";
  for (const CommandRow& other : command_table()) {
    if ((row.extends & static_cast<unsigned>(other.command)) != 0)
      text += fmt::format("  and every option of lockstep {0}      lockstep {0} --help shows them\n", other.name);
  }
  if (!all && hidden) text += "  --help-all                          the rarer options too\n";
  return text + fmt::format("\nexample: {}\n", row.example);
}

std::string overview_text() {
  std::string text = "lockstep: data-parallel training of image classifiers\n\nusage: lockstep COMMAND [options]\n\n";
  for (const CommandRow& row : command_table()) text += fmt::format("  {:<13} {}\n", row.name, row.summary);
  return text + "\nlockstep COMMAND --help explains one; lockstep --version tells the version.\n";
}

std::string markdown_table(Command command) {
  std::string text = "| option | default | meaning |\n| --- | --- | --- |\n";
  for (const OptionRow& row : option_table()) {
    if (!is_own(command, row)) continue;
    std::string value(row.value);
    for (std::size_t at = value.find('|'); at != std::string::npos; at = value.find('|', at + 2))
      value.replace(at, 1, "\\|");
    text += fmt::format("| `--{}`{}{} | {} | {} |\n", row.name, value.empty() ? "" : " ", value,
                        row.required           ? "required"
                        : row.fallback.empty() ? ""
                                               : fmt::format("`{}`", row.fallback),
                        row.help);
  }
  return text;
}

}  // namespace lockstep
