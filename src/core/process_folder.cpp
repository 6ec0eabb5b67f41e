#include "lockstep/core/process_folder.hpp"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

std::string name_prefix() { return "lockstep-" + host_name() + "-"; }

bool is_running(pid_t process) { return ::kill(process, 0) == 0 || errno == EPERM; }

void remove_leftovers(const fs::path& parent) {
  const std::string prefix = name_prefix();
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    pid_t process = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, process);
    const bool ours = parsed.ec == std::errc() && (parsed.ptr == end || *parsed.ptr == '.');
    if (ours && !is_running(process)) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

ProcessFolder::ProcessFolder(const fs::path& parent) {
  make_folder(parent);
  remove_leftovers(parent);
  std::string name = (parent / (name_prefix() + std::to_string(::getpid()) + ".XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) throw system_error("cannot make a folder", parent.string(), errno);
  path_ = name;
}

ProcessFolder::~ProcessFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace lockstep
