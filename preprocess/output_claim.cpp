#include "preprocess/output_claim.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "preprocess/journal.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

struct Owner {
  std::string host;
  pid_t process = 0;
  std::string started;  // tells processes of the same number apart; empty: not known
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

/// Nothing where there is no claim. One that cannot be read has no host: it is being written, or was left by a crash.
std::optional<Owner> read_owner(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  try {
    const nlohmann::json root = nlohmann::json::parse(read_file(file));
    return Owner{root.at("host").get<std::string>(), root.at("process").get<pid_t>(),
                 root.at("started").get<std::string>()};
  } catch (const std::exception&) {
    return Owner{};
  }
}

bool is_running(const Owner& owner) {
  if (::kill(owner.process, 0) != 0 && errno == ESRCH) return false;
  const std::string started = start_of(owner.process);
  return started.empty() || owner.started.empty() || started == owner.started;
}

bool is_silent(const fs::path& file) {
  std::error_code code;
  const auto renewed = fs::last_write_time(file, code);
  return code || fs::file_time_type::clock::now() - renewed > OutputClaim::longest_silence;
}

/// Whether there is a claim that counts no more. Throws where one counts.
bool is_left_over(const fs::path& output, const fs::path& file) {
  const std::optional<Owner> owner = read_owner(file);
  if (!owner) return false;
  const bool here = owner->host == host_name();
  if (here ? !is_running(*owner) : is_silent(file)) return true;
  const std::string who = owner->host.empty() ? "a process that has not written its name yet"
                                              : fmt::format("process {} on {}", owner->process, owner->host);
  throw Error(
      fmt::format("another packing is at work here: {}", who), output.string(),
      fmt::format("wait for its end, or choose another --output; if it runs no more, remove {}{}", file.string(),
                  here ? "" : fmt::format(" or wait {} s", OutputClaim::longest_silence.count())));
}

/// An open file or folder.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

Error just_begun(const fs::path& file) {
  return Error("another packing has just begun here", file.string(), "wait for its end, or choose another --output");
}

void write_whole(const Descriptor& file, const std::string& text, const fs::path& name) {
  if (::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw system_error("cannot write", name.string(), errno);
}

/// The file gets its name once it holds the text: a kill leaves no claim of nobody, which others would wait for. False
/// where the file system has no files without a name, or no further names for one (NFS, Lustre).
bool made_at_once(const fs::path& file, const std::string& text) {
  const Descriptor unnamed(::open(file.parent_path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (unnamed.number() < 0) return false;
  write_whole(unnamed, text, file);
  const std::string place = fmt::format("/proc/self/fd/{}", unnamed.number());
  if (::linkat(AT_FDCWD, place.c_str(), AT_FDCWD, file.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EEXIST) throw just_begun(file);
  return false;
}

void write_owner(const fs::path& file) {
  const nlohmann::json root = {{"host", host_name()}, {"process", ::getpid()}, {"started", start_of(::getpid())}};
  const std::string text = root.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (made_at_once(file, text)) return;
  const Descriptor created(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (created.number() < 0 && errno == EEXIST) throw just_begun(file);
  if (created.number() < 0) throw system_error("cannot create", file.string(), errno);
  try {
    write_whole(created, text, file);
  } catch (...) {
    ::unlink(file.c_str());
    throw;
  }
}

void renew(const std::stop_token& stop, const fs::path& file) {
  std::mutex mutex;
  std::condition_variable_any ended;
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, stop, OutputClaim::renewal, [&] { return stop.stop_requested(); }))
    ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);  // a failure is another host's reason to take over, no more
}

}  // namespace

void OutputClaim::check(const fs::path& output) { is_left_over(output, output / journal_folder / file_name); }

OutputClaim::OutputClaim(const fs::path& output) : output_(output), file_(output / journal_folder / file_name) {
  make_folder(file_.parent_path());
  const Descriptor folder(::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Of two that find the same left-over claim on this host, one waits. Where there are no locks, O_EXCL decides.
  ::flock(folder.number(), LOCK_EX);
  if (is_left_over(output_, file_)) fs::remove(file_);
  write_owner(file_);
  renewer_ = std::jthread([file = file_](const std::stop_token& stop) { renew(stop, file); });
}

OutputClaim::~OutputClaim() {
  renewer_.request_stop();
  renewer_.join();
  std::error_code ignored;
  fs::remove(file_, ignored);
  fs::remove(file_.parent_path(), ignored);  // fail, as they shall, if something lies inside
  fs::remove(output_, ignored);
}

}  // namespace lockstep::preprocess
