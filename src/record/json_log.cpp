#include "lockstep/record/json_log.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep {

namespace {

/// A kill may have torn the last line; what would be appended to it is no JSON.
const std::filesystem::path& without_torn_line(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return file;
  const std::string text = read_file(file);
  const std::size_t whole = text.rfind('\n') + 1;  // npos + 1 is 0: not one whole line
  if (whole != text.size()) std::filesystem::resize_file(file, whole);
  return file;
}

}  // namespace

JsonLog::JsonLog(const std::filesystem::path& file) : path_(file), file_(without_torn_line(file), std::ios::app) {
  if (!file_) throw system_error("cannot open the log", file.string(), errno);
}

void JsonLog::write(const LogFields& fields) {
  nlohmann::ordered_json line;
  for (const auto& [name, value] : fields) {
    std::visit([&](const auto& held) { line[std::string(name)] = held; }, value);
  }
  file_ << line.dump() << '\n' << std::flush;
  if (!file_) throw system_error("cannot write the log", path_.string(), errno);
}

}  // namespace lockstep
