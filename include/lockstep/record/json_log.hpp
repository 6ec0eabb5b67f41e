// log.jsonl: one JSON object a line, appended and flushed as it happens, so that a killed run keeps all but its last
// line.
//
// A run that was killed goes on in the same file: a torn last line is cut off, and after a line {"event":"resumed",
// "step":N} earlier lines with a larger step are void. Fields keep the order in which they are given. Numbers that are
// not finite are written as null, which JSON can hold. One writer (rank 0), one thread. Errors: the file cannot be
// written.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep {

using LogValue = std::variant<std::int64_t, double, std::string, bool>;
using LogFields = std::vector<std::pair<std::string_view, LogValue>>;

class JsonLog {
 public:
  /// Appends to `file`, which is made if it is not there.
  explicit JsonLog(const std::filesystem::path& file);
  void write(const LogFields& fields);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace lockstep
