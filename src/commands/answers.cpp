#include "commands/answers.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace lockstep {

bool answer_questions(const Options& options) {
  if (options.flag("help") || options.flag("help-all")) {
    fmt::print("{}", help_text(options.command(), options.flag("help-all")));
    return true;
  }
  if (options.flag("print-config")) {
    fmt::print("{}", options.to_ini());
    return true;
  }
  return false;
}

}  // namespace lockstep
