// The doors: one function per command, each parse → make → run → exit code. Called by the program's main only.
//
// `words`: what stands behind the command's name. They print results to stdout and messages to stderr, throw Error, and
// own the World of the process.
#pragma once
#include <string>
#include <vector>

#include "lockstep/core/error.hpp"

namespace lockstep {

/// Replaces this process by lockstep-preprocess (beside this program), before MPI starts; returns only by an Error.
Exit preprocess_command(const std::vector<std::string>& words);
Exit train_command(const std::vector<std::string>& words);
Exit evaluate_command(const std::vector<std::string>& words);
/// One training for each share of the network that is frozen and each seed.
Exit freeze_study_command(const std::vector<std::string>& words);
/// Reads run folders alone. One process, without MPI.
Exit runs_command(const std::vector<std::string>& words);
Exit predict_command(const std::vector<std::string>& words);
/// The first word says what is measured.
Exit bench_command(const std::vector<std::string>& words);
/// The first word says what is done with weight files: list, convert, compare. One process, without MPI.
Exit weights_command(const std::vector<std::string>& words);

}  // namespace lockstep
