#include "lockstep/core/machine.hpp"

#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <utility>

namespace lockstep {
namespace {

constexpr const char* group_root = "/sys/fs/cgroup";

/// The number that follows a word in a file of the system, if it is there.
std::optional<std::int64_t> field_of(const std::filesystem::path& path, const std::string& name) {
  std::ifstream file(path);
  std::int64_t value = 0;
  for (std::string word; file >> word;) {
    if (word == name && file >> value) return value;
  }
  return std::nullopt;
}

/// The folder of this process's control group: the one of version 2, or version 1's memory controller; empty if there
/// is none to be seen.
std::filesystem::path control_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const bool second = line.starts_with("0::"), first = line.find(":memory:") != std::string::npos;
    if (!second && !first) continue;
    const std::string path = line.substr(line.find('/'));
    const std::filesystem::path folder = std::filesystem::path(group_root) / (second ? "" : "memory") / path.substr(1);
    std::error_code ignored;
    if (std::filesystem::exists(folder, ignored)) return folder;
  }
  return {};
}

std::filesystem::path parent_group(const std::filesystem::path& group) {
  const std::filesystem::path parent = group.parent_path();
  return parent.string().starts_with(group_root) && parent != group ? parent : std::filesystem::path();
}

/// What a control group leaves to its processes; a very large number if it does not limit them.
std::int64_t allowed_by(const std::filesystem::path& group) {
  constexpr std::int64_t no_limit = INT64_MAX;
  for (const auto& [limit_name, used_name] :
       {std::pair{"memory.max", "memory.current"}, std::pair{"memory.limit_in_bytes", "memory.usage_in_bytes"}}) {
    std::int64_t limit = 0, used = 0;
    if (!(std::ifstream(group / limit_name) >> limit)) continue;  // none, or "max"
    if (!(std::ifstream(group / used_name) >> used)) continue;
    const std::int64_t cached = field_of(group / "memory.stat", "active_file").value_or(0) +
                                field_of(group / "memory.stat", "inactive_file").value_or(0);
    return limit - std::max<std::int64_t>(0, used - cached);
  }
  return no_limit;
}

}  // namespace

std::int64_t usable_cores() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  return CPU_COUNT(&mask);
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return std::int64_t{usage.ru_maxrss} * 1024;
}

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::optional<std::uint64_t> bytes_from_storage() {
  const std::optional<std::int64_t> bytes = field_of("/proc/self/io", "read_bytes:");
  return bytes ? std::optional(static_cast<std::uint64_t>(*bytes)) : std::nullopt;
}

std::int64_t available_memory_bytes() {
  std::int64_t available = field_of("/proc/meminfo", "MemAvailable:").value_or(INT64_MAX / 1024) * 1024;
  for (std::filesystem::path group = control_group(); !group.empty(); group = parent_group(group))
    available = std::min(available, allowed_by(group));
  return std::max<std::int64_t>(0, available);
}

std::string affinity_mask() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return "";
  std::string text;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &mask)) continue;
    const int first = core;
    while (core + 1 < CPU_SETSIZE && CPU_ISSET(core + 1, &mask)) ++core;
    if (!text.empty()) text += ',';
    text += std::to_string(first);
    if (core > first) text += '-' + std::to_string(core);
  }
  return text;
}

void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void keep_large_blocks() {
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  ::mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace lockstep
