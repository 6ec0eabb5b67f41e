// Messages for a person: plain lines on stderr, and one live line where stderr is a terminal.
//
// Rank 0 says everything; other ranks only warnings and errors, prefixed with their rank and host, so that a run of a
// thousand ranks starts with a handful of lines. Thread-safe; one Log per rank, passed by reference, no global.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

class Log {
 public:
  Log(int rank, int ranks);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void info(std::string_view text) const;     ///< rank 0 only
  void warning(std::string_view text) const;  ///< every rank
  void error(std::string_view text) const;    ///< every rank
  /// Replaces the live line (rank 0, terminal only); elsewhere nothing. Ended by the next info() or by
  /// finish_progress().
  void progress(std::string_view text) const;
  void finish_progress() const;
  /// Whether progress() shows anything: callers print plain lines now and then where it does not.
  bool live() const;
  /// Silences info and progress, for tests.
  void quiet();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
