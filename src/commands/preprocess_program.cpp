#include "commands/preprocess_program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "lockstep/core/error.hpp"

extern char** environ;

namespace lockstep {
namespace {

constexpr std::string_view opening = "lockstep preprocess: ";  // of its error
constexpr std::string_view joint = " · ";

/// Pointers to texts, ended by a null, as exec takes them.
class Words {
 public:
  void add(std::string word) { words_.push_back(std::move(word)); }
  char** pointers() {
    pointers_.clear();
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
    return pointers_.data();
  }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

/// Ours without what a launcher says to its ranks: the child would take itself for one, and wait for the others.
Words environment_without_ranks() {
  constexpr std::array<std::string_view, 4> launchers{"OMPI_", "PMIX_", "PMI_", "PRTE_"};
  Words variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    bool launcher = false;
    for (const std::string_view prefix : launchers) launcher = launcher || text.starts_with(prefix);
    if (!launcher) variables.add(std::string(text));
  }
  return variables;
}

/// A pipe whose writing end the child has as its stdout and stderr.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw system_error("cannot make a pipe", "", errno);
  }
  ~Pipe() {
    close(0);
    close(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  void close(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

pid_t start(const std::filesystem::path& program, const std::vector<std::string>& words, const Pipe& pipe) {
  Words arguments, environment = environment_without_ranks();
  arguments.add(program.string());
  for (const std::string& word : words) arguments.add(word);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe.writing(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, pipe.writing(), STDERR_FILENO);
  pid_t child = 0;
  const int code =
      ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.pointers(), environment.pointers());
  ::posix_spawn_file_actions_destroy(&actions);
  if (code == 0) return child;
  throw Error(std::string("cannot start the packing program: ") + std::strerror(code), program.string(),
              "it belongs beside the program lockstep: build or install both");
}

/// Whole lines to `line`, until the child has closed its end.
void read_lines(int descriptor, const std::function<void(std::string_view)>& line) {
  std::array<char, 4096> block{};
  std::string pending;
  while (true) {
    const ssize_t got = ::read(descriptor, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    pending.append(block.data(), static_cast<std::size_t>(got));
    for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      line(std::string_view(pending).substr(0, end));
      pending.erase(0, end + 1);
    }
  }
  if (!pending.empty()) line(pending);
}

/// Its sentence of what · where · how to fix, taken apart again.
Error error_of(std::string_view sentence, int status) {
  if (sentence.empty()) {
    const std::string how = WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status))
                                                : "ended with exit code " + std::to_string(WEXITSTATUS(status));
    return Error("packing the images " + how, "lockstep-preprocess",
                 "pack them with lockstep preprocess and name that");
  }
  const std::size_t first = sentence.find(joint), last = sentence.rfind(joint);
  if (first == std::string_view::npos || first == last) return Error(std::string(sentence), "lockstep preprocess", "");
  return Error(std::string(sentence.substr(0, first)),
               std::string(sentence.substr(first + joint.size(), last - first - joint.size())),
               std::string(sentence.substr(last + joint.size())));
}

}  // namespace

std::filesystem::path preprocess_program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "lockstep-preprocess";
}

void run_preprocess(const std::vector<std::string>& words, const std::function<void(std::string_view)>& said) {
  Pipe pipe;
  const pid_t child = start(preprocess_program(), words, pipe);
  pipe.close(1);
  std::string sentence;
  read_lines(pipe.reading(), [&](std::string_view line) {
    if (line.starts_with(opening))
      sentence = line.substr(opening.size());
    else
      said(line);
  });
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw error_of(sentence, status);
}

}  // namespace lockstep
