// log.jsonl of a run, read back: what happened, without what a resume has made void.
//
// After a line {"event":"resumed","step":N} earlier lines of a later step don't count, nor those of step N that are
// said once more: a checkpoint may be of before the judgement of its step, which is then made again. A torn last line,
// or one that is no JSON object, is passed over. Values; thread-safe. Errors: the file cannot be read.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lockstep {

/// A line of the log. What is asked for and not there, or of another kind, is nothing: older runs say less.
class LogLine {
 public:
  using Value = std::variant<double, std::string, bool>;
  explicit LogLine(std::map<std::string, Value, std::less<>> values) : values_(std::move(values)) {}

  std::string event() const { return text("event"); }
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string text(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;
  std::int64_t integer(std::string_view name) const { return static_cast<std::int64_t>(number(name).value_or(0)); }
  bool flag(std::string_view name) const;

 private:
  std::map<std::string, Value, std::less<>> values_;
};

/// The lines of these events, in order; with none named, all.
std::vector<LogLine> read_run_log(const std::filesystem::path& file,
                                  std::initializer_list<std::string_view> events = {});

}  // namespace lockstep
