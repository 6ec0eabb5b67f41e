#include "lockstep/core/folder_claim.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/descriptor.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

struct Owner {
  std::string host;
  pid_t process = 0;
  std::string started;         // tells processes of the same number apart; empty: not known
  std::string job;             // of Slurm; empty: none
  std::int64_t job_start = 0;  // how often it has been started anew
};

/// The 22nd field of /proc/N/stat, in clock ticks since the system's start, and which start that was; empty where there
/// is no such process.
std::string start_of(pid_t process) {
  std::ifstream boot("/proc/sys/kernel/random/boot_id"), stat(fmt::format("/proc/{}/stat", process));
  std::string id, line, field;
  std::getline(boot, id);
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(')');  // the second field, in parentheses, may hold anything
  if (name_end == std::string::npos) return "";
  std::istringstream fields(line.substr(name_end + 1));
  for (int i = 3; i <= 22 && field != "Z"; ++i) fields >> field;  // Z, the third: it has ended already
  return id + " " + field;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Owner this_process() {
  return {host_name(), ::getpid(), start_of(::getpid()), environment("SLURM_JOB_ID"),
          std::strtoll(environment("SLURM_RESTART_COUNT").c_str(), nullptr, 10)};
}

std::string text_of(const Owner& owner) {
  nlohmann::json root = {{"host", owner.host}, {"process", owner.process}, {"started", owner.started}};
  if (!owner.job.empty()) root.update({{"job", owner.job}, {"job_start", owner.job_start}});
  return root.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Nothing where there is no such file.
std::optional<std::string> claim_in(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    if (errno == ENOENT) return std::nullopt;
    throw system_error("cannot read", file.string(), errno);
  }
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

/// One that cannot be read has no host: it is being written, or was left by a crash.
Owner owner_in(const std::string& claim) {
  try {
    const nlohmann::json root = nlohmann::json::parse(claim);
    return {root.at("host").get<std::string>(), root.at("process").get<pid_t>(), root.at("started").get<std::string>(),
            root.value("job", ""), root.value("job_start", std::int64_t{0})};
  } catch (const nlohmann::json::exception&) {
    return {};
  }
}

bool is_running(const Owner& owner) {
  if (::kill(owner.process, 0) != 0 && errno == ESRCH) return false;
  const std::string started = start_of(owner.process);
  return started.empty() || owner.started.empty() || started == owner.started;
}

/// Slurm, or the job itself, has ended that start before this one.
bool is_of_earlier_start(const Owner& owner) {
  if (owner.job.empty()) return false;
  const Owner me = this_process();
  return (owner.job == me.job && owner.job_start < me.job_start) ||
         owner.job == environment("LOCKSTEP_SUBMITTED_AGAIN");
}

Error at_work(const Owner& owner, const fs::path& file, const ClaimedWork& work) {
  return Error(fmt::format("another {} is at work here: process {} on {}", work.name, owner.process, owner.host),
               work.folder.string(),
               fmt::format("wait for its end{}; if it runs no more, remove {}", work.instead, file.string()));
}

std::optional<fs::file_time_type> last_renewed(const fs::path& file) {
  std::error_code code;
  const auto time = fs::last_write_time(file, code);
  if (code && code != std::errc::no_such_file_or_directory)
    throw system_error("cannot read", file.string(), code.value());
  return code ? std::nullopt : std::optional(time);
}

/// Of another host, whose processes can't be seen: returns if it falls silent; if it goes on it is at work.
void wait_for_silence(const Owner& owner, const fs::path& file, const ClaimedWork& work, const Log& log,
                      const ClaimTimes& times) {
  const auto before = last_renewed(file);
  // By this clock as well: that of the file's host may be hours ahead.
  const auto end = std::chrono::steady_clock::now() + times.silence;
  const auto silent = [&] {
    return !before || fs::file_time_type::clock::now() - *before > times.silence ||
           std::chrono::steady_clock::now() > end;
  };
  if (silent()) return;
  const std::string who = owner.host.empty() ? "a process that has not written its name yet"
                                             : fmt::format("process {} on {}", owner.process, owner.host);
  log.info(fmt::format("{} has claimed {}: waiting up to {} s to see whether it still runs; if not, remove {}", who,
                       work.folder.string(), times.silence.count() / 1000, file.string()));
  while (!silent()) {
    std::this_thread::sleep_for(times.renewal / 20);
    const auto now = last_renewed(file);
    if (!now) return;
    if (now != before) throw at_work(owner_in(claim_in(file).value_or("")), file, work);
  }
}

/// The claim that is there and counts no more; nothing where there is none. Throws where one counts.
std::optional<std::string> void_claim(const fs::path& file, const ClaimedWork& work, const Log& log,
                                      const ClaimTimes& times) {
  const std::optional<std::string> claim = claim_in(file);
  if (!claim) return std::nullopt;
  const Owner owner = owner_in(*claim);
  if (is_of_earlier_start(owner)) return claim;
  if (owner.host != host_name()) {
    wait_for_silence(owner, file, work, log, times);
  } else if (is_running(owner)) {
    throw at_work(owner, file, work);
  }
  return claim;
}

Error just_begun(const fs::path& file, const ClaimedWork& work) {
  return Error(fmt::format("another {} has just begun here", work.name), file.string(),
               "wait for its end" + work.instead);
}

/// Of all that found the same void claim, one takes it away. Another may have put its own in its place meanwhile, which
/// a network's file system may show late: that one is put back.
void take_away(const fs::path& file, const std::string& claim, const ClaimedWork& work) {
  fs::path aside = file;
  aside += fmt::format(".{}.{}.void", host_name(), ::getpid());
  std::error_code code;
  fs::rename(file, aside, code);
  if (code == std::errc::no_such_file_or_directory) return;
  if (code) throw system_error("cannot rename", file.string(), code.value());
  const bool same = claim_in(aside) == claim;
  if (!same) fs::create_hard_link(aside, file, code);
  fs::remove(aside, code);
  if (!same) throw just_begun(file, work);
}

void write_whole(const Descriptor& file, const std::string& text, const fs::path& name) {
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw system_error("cannot write", name.string(), errno);
}

/// The file gets its name once it holds the text: a kill leaves no claim of nobody, which others would wait for. False
/// where the file system has no files without a name, or no further names for one (NFS, Lustre).
bool made_at_once(const fs::path& file, const std::string& text, const ClaimedWork& work) {
  const Descriptor unnamed(::open(file.parent_path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (unnamed.get() < 0) return false;
  write_whole(unnamed, text, file);
  const std::string place = fmt::format("/proc/self/fd/{}", unnamed.get());
  if (::linkat(AT_FDCWD, place.c_str(), AT_FDCWD, file.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EEXIST) throw just_begun(file, work);
  return false;
}

void write_claim(const fs::path& file, const std::string& text, const ClaimedWork& work) {
  if (made_at_once(file, text, work)) return;
  const Descriptor created(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (created.get() < 0 && errno == EEXIST) throw just_begun(file, work);
  if (created.get() < 0) throw system_error("cannot create", file.string(), errno);
  try {
    write_whole(created, text, file);
  } catch (...) {
    ::unlink(file.c_str());
    throw;
  }
}

}  // namespace

void FolderClaim::check(const fs::path& file, const ClaimedWork& work, const Log& log, const ClaimTimes& times) {
  void_claim(file, work, log, times);
}

FolderClaim::FolderClaim(fs::path file, const ClaimedWork& work, const Log& log, const ClaimTimes& times)
    : file_(std::move(file)), text_(text_of(this_process())) {
  const std::optional<std::string> left_over = void_claim(file_, work, log, times);
  const Descriptor folder(::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ::flock(folder.get(), LOCK_EX);  // where there are no locks, a moment stays in which two can find each other late
  if (left_over) take_away(file_, *left_over, work);
  write_claim(file_, text_, work);
  renewer_ = std::jthread([this, every = times.renewal](const std::stop_token& stop) { renew(stop, every); });
}

FolderClaim::~FolderClaim() {
  renewer_.request_stop();
  renewer_.join();
  try {
    if (claim_in(file_) == text_) fs::remove(file_);
  } catch (const std::exception&) {
    // It is void as soon as this process has ended.
  }
}

void FolderClaim::renew(const std::stop_token& stop, std::chrono::milliseconds every) {
  std::mutex mutex;
  std::condition_variable_any ended;
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, stop, every, [&] { return stop.stop_requested(); })) {
    try {
      const auto claim = claim_in(file_);
      lost_ = claim && *claim != text_;
    } catch (const std::exception&) {
      continue;  // a file system that does not answer now
    }
    if (!lost_)
      ::utimensat(AT_FDCWD, file_.c_str(), nullptr, 0);  // a failure is another's reason to take over, no more
  }
}

}  // namespace lockstep
