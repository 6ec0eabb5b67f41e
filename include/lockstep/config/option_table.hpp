// The one table of options: parser, help, config file, run record and the README's tables are all made from it.
//
// To add an option: one row in src/config/option_rows/, one field in the config struct of its command. A value; thread-safe.
#pragma once
#include <span>
#include <string_view>

namespace lockstep {

enum class Command : unsigned {
  preprocess = 1,
  train = 2,
  evaluate = 4,
  bench_loader = 8,
  weights_list = 16,
  weights_convert = 32,
  weights_compare = 64,
  freeze_study = 128,
  predict = 256,
  runs = 512
};

constexpr unsigned operator|(Command a, Command b) { return static_cast<unsigned>(a) | static_cast<unsigned>(b); }

struct CommandRow {
  Command command;
  std::string_view name;     ///< as typed
  std::string_view summary;  ///< one line
  std::string_view usage;    ///< the line behind "usage:"
  std::string_view example;  ///< works as it is after the quickstart
  unsigned reads = 0;        ///< commands whose config files it takes too, passing over what is theirs alone
  std::string_view words{};  ///< options that words without dashes stand for, in their order: "input,output"
  unsigned extends = 0;      ///< a command whose options it all takes too, under names that are not its own
};

/// path_list: the option is given once for each.
enum class OptionType {
  text,
  path,
  path_list,
  choice,
  choice_list,
  flag,
  integer,
  integer_list,
  real,
  real_list,
  text_list
};

struct OptionRow {
  std::string_view name;   ///< without dashes; the key in config files
  std::string_view group;  ///< section in config files; empty: a question for now, kept in none
  unsigned commands;       ///< Command values or-ed together
  OptionType type;
  std::string_view value;     ///< how the value is called in help; for choices: "a|b|c"
  std::string_view fallback;  ///< the default as text; empty: none
  bool required;              ///< must be given (no default)
  bool common;                ///< shown by --help, not only by --help-all
  double low, high;           ///< inclusive range of a number or of each number of a list
  std::string_view help;      ///< one line
};

std::span<const CommandRow> command_table();
std::span<const OptionRow> option_table();
const CommandRow& row_of(Command command);
/// Whether an option is the command's own, or one of the command that it extends.
bool is_own(Command command, const OptionRow& row);
bool takes(Command command, const OptionRow& row);

}  // namespace lockstep
