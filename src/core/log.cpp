#include "lockstep/core/log.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <mutex>

#include "lockstep/core/machine.hpp"

namespace lockstep {
struct Log::State {
  int rank = 0;
  bool live = false;
  bool quiet = false;
  std::string prefix;
  std::mutex mutex;
  bool line_open = false;  // a live line stands on the terminal without a line end
  spdlog::logger logger{"lockstep", std::make_shared<spdlog::sinks::stderr_sink_mt>()};

  void say(spdlog::level::level_enum level, std::string_view label, std::string_view text) {
    const std::lock_guard lock(mutex);
    close_line();
    logger.log(level, "{}{}{}", prefix, label, text);
  }
  void close_line() {
    if (line_open) fmt::print(stderr, "\n");
    line_open = false;
  }
};

Log::Log(int rank, int ranks) : state_(std::make_unique<State>()) {
  state_->rank = rank;
  state_->live = rank == 0 && ::isatty(STDERR_FILENO) == 1;
  if (ranks > 1 && rank > 0) state_->prefix = fmt::format("[rank {} on {}] ", rank, host_name());
  state_->logger.set_pattern("%v");
  state_->logger.flush_on(spdlog::level::info);
}

Log::~Log() { finish_progress(); }

void Log::info(std::string_view text) const {
  if (state_->rank == 0 && !state_->quiet) state_->say(spdlog::level::info, "", text);
}
void Log::warning(std::string_view text) const { state_->say(spdlog::level::warn, "warning: ", text); }
void Log::error(std::string_view text) const { state_->say(spdlog::level::err, "error: ", text); }

void Log::progress(std::string_view text) const {
  if (!state_->live || state_->quiet) return;
  const std::lock_guard lock(state_->mutex);
  fmt::print(stderr, "\r\x1b[2K{}", text);
  std::fflush(stderr);
  state_->line_open = true;
}

void Log::finish_progress() const {
  const std::lock_guard lock(state_->mutex);
  state_->close_line();
}

bool Log::live() const { return state_->live; }
void Log::quiet() { state_->quiet = true; }

}  // namespace lockstep
