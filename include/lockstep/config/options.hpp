// What the user said: the command line over a config file over the defaults, every value checked against the one table.
//
// The table (option_table.hpp) is the only place that knows an option's name, type, range, default and help. Options
// holds one text per option of one command, complete after parsing; the typed getters never fail on a parsed object.
// All errors are usage errors (exit code 2) that name the option, its origin and the nearest spelling.
// A value; thread-safe to read.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config/option_table.hpp"

namespace lockstep {

class Options {
 public:
  /// Parses the words behind the command's name. Accepts --name value, --name=value, for switches also --name and
  /// --no-name; reads --config FILE (INI; sections are the table's groups or absent). A list of paths has one in each
  /// --name and in each line of a file; those of the command line take the place of a file's.
  /// --help, --help-all, --help-markdown and --print-config are switches for the caller to act on; with one of them
  /// nothing is required. Neither is it with --resume, --from, --audit, --verify and --predictions, which stand for the rest.
  static Options parse(Command command, const std::vector<std::string>& words);

  /// The defaults of a command with the given values on top, checked the same way. For tests and for reading a run.
  static Options from_values(Command command, const std::map<std::string, std::string>& values);

  /// From the text of a config file alone; `origin` is named in errors.
  static Options from_ini(Command command, std::string_view text, const std::string& origin);

  Command command() const { return command_; }
  /// Whether the value came from the command line or a config file rather than from the default.
  bool said(std::string_view name) const;
  /// Whether it was said and is not the default: the config of a run says every option.
  bool changed(std::string_view name) const;
  /// Whether there is a value at all (an option without default that nobody gave has none).
  bool has(std::string_view name) const;

  std::string text(std::string_view name) const;
  std::filesystem::path path(std::string_view name) const;
  std::vector<std::filesystem::path> paths(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  std::vector<std::int64_t> integers(std::string_view name) const;
  std::vector<double> reals(std::string_view name) const;

  /// An error about the value of `name` that names where it came from ("--side on the command line").
  [[noreturn]] void reject(std::string_view name, const std::string& what, const std::string& hint) const;

  /// An error if `name` was changed though it is not `used`: it was surely meant to do something. `needs`: what makes
  /// it count ("--schedule step").
  void reject_unused(std::string_view name, bool used, std::string_view needs) const;

  /// These options with everything that they did not say taken from `base`, of the same command.
  Options over(const Options& base) const;

  /// The same with one value replaced.
  Options with(const std::string& name, const std::string& text) const;

  /// The same with one value as if nobody had said it.
  Options without(const std::string& name) const;

  /// What they say of the options of another command, with its defaults for the rest.
  Options as(Command command) const;

  /// Names of the options whose values differ, however they are written ("1e-3" is 0.001), in the table's order.
  std::vector<std::string> differences(const Options& other) const;

  /// The same with every path absolute, so that the record of a run works from any folder.
  Options with_absolute_paths() const;

  /// All options of the command as an INI file that parses back to an equal object.
  std::string to_ini() const;

 private:
  struct Value {
    std::string text;
    std::string origin;  // empty: the default
  };
  explicit Options(Command command) : command_(command) {}
  void set(const std::string& name, const std::string& text, const std::string& origin);
  void read_ini(std::string_view text, const std::string& origin);
  void fill_defaults(bool require);
  const Value& value(std::string_view name) const;

  Command command_;
  std::map<std::string, Value, std::less<>> values_;
};

/// What to print if the words only asked something (--help, --help-all, --help-markdown, --print-config).
std::optional<std::string> answer_to_questions(const Options& options);
/// The help of a command: the common options (all: every option), one line each, and an example that works.
std::string help_text(Command command, bool all);
/// The overview of all commands.
std::string overview_text();
/// The table of a command's options in Markdown, as the README carries it.
std::string markdown_table(Command command);

}  // namespace lockstep
