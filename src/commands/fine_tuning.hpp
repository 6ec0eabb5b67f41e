// The options of a run with what its weights and its transfer preset say for all that the user did not.
//
// Every rank calls it together; rank 0 reads the weight file. Internal to src/commands. Errors: those of
// config/fine_tuning.hpp and of reading; --normalise weights with a file that does not say how.
#pragma once
#include <filesystem>
#include <string>

#include "lockstep/comm/world.hpp"
#include "lockstep/config/architectures.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/log.hpp"

namespace lockstep {

/// How images for the network of `file` are normalised, as a value of --normalise: what the file says, or the usual of
/// its architecture; empty: nobody knows. Reads the file.
std::string normalisation_of(const std::filesystem::path& file, const Architecture& architecture);

/// `said`: options of train, --weights being a file that was found. Says what it filled in.
Options with_fine_tuning(const Options& said, World& world, const Log& log);

}  // namespace lockstep
