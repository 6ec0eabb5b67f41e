// One run from its options to its end: what lockstep train does once, and a study for each of its runs.
//
// Every rank calls these together, on its main thread, with the same options. Internal to src/commands. Errors: all that a
// configuration, a data set, weights and a run can have wrong.
#pragma once
#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/log.hpp"

namespace lockstep {

/// What was said made whole: of a run that is resumed by its own options; else with the weights' file found, and with what
/// preset and weights say for the rest.
Options complete_options(const Options& said, World& world, const Log& log);

/// `options`: complete, with a run's folder unless it is a rehearsal. Exit::resumable: a signal stopped it.
Exit train_run(const Options& options, World& world, const Log& log);

}  // namespace lockstep
