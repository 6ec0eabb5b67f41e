// The questions every command answers from its options alone: --help, --help-all, --print-config.
#pragma once
#include "lockstep/config/options.hpp"

namespace lockstep {

/// Prints the answer to stdout if one of them was asked; says whether it was.
bool answer_questions(const Options& options);

}  // namespace lockstep
