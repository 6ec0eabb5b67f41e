// The one exception of the project: a sentence that says what went wrong, where, and how to fix it.
//
// Every layer throws Error for anything a user can cause (input, environment, usage); nothing else crosses a public
// header except std::bad_alloc and what LibTorch throws itself. The commands print it as "what · where · how to fix"
// and end with exit_code(). Thread-safe: a value.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace lockstep {

/// Exit codes of every program of the project.
enum class Exit : int {
  done = 0,
  failed = 1,      ///< an error in the input or during the run
  usage = 2,       ///< the command line or the config is wrong
  defect = 70,     ///< a defect of ours
  watchdog = 71,   ///< a rank hung or died and the run was ended
  resumable = 75,  ///< stopped early by a signal, after a whole step, with a checkpoint to go on from
};

class Error : public std::runtime_error {
 public:
  /// `what`: what is wrong, with both values where something was compared ("4 channels, expected 3").
  /// `where`: file, option, shard, layer, rank … ; may be empty. `hint`: how to fix it; may be empty.
  Error(std::string what, std::string where, std::string hint, Exit exit = Exit::failed);

  const std::string& message() const { return message_; }
  const std::string& where() const { return where_; }
  const std::string& hint() const { return hint_; }
  Exit exit_code() const { return exit_; }

 private:
  std::string message_, where_, hint_;
  Exit exit_;
};

/// An error of usage: option or config value `where` is wrong.
Error usage_error(std::string what, std::string where, std::string hint);

/// "what: strerror(code)", with the usual fix for ENOSPC, EACCES, EMFILE … as hint. `code` is an errno value.
Error system_error(std::string what, std::string where, int code);

/// An invariant of ours that does not hold; the user can only report it.
Error defect(std::string what, std::string where);

}  // namespace lockstep
