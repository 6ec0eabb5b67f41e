// What lockstep evaluate does with --predictions instead of a run: a predictions.h5 is judged again, a CSV file with
// the help of --labels.
//
// Rank 0 does it alone; the other ranks have nothing to do. Internal to src/commands. Errors: options of runs beside
// it; those of kept_predictions.hpp and compare_predictions.hpp.
#pragma once
#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/log.hpp"

namespace lockstep {

Exit evaluate_predictions(const Options& options, const World& world, const Log& log);

}  // namespace lockstep
