#include "lockstep/record/json_log.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"

namespace lockstep {

JsonLog::JsonLog(const std::filesystem::path& file) : path_(file), file_(file, std::ios::app) {
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
