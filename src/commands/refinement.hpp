// What --from means before any training: the options of a run that is there, with what is said anew, and its weights.
//
// A child has the classes and the network of its parent and starts from its best weights (--weights last: from its last
// ones). It does not go on with the parent's training: the moments of its optimiser and its place in the schedule begin
// anew, and its folder is its own. Rank 0 reads. Internal to src/commands. Errors: a folder that is no run; a parent
// without such weights; a network or classes that are not the parent's; --resume beside it.
#pragma once
#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/record/run_folder.hpp"

namespace lockstep {

/// `said`: the command line, with --from PARENT. Every rank calls it. The log says what the child changes.
Options refined_options(const Options& said, World& world, const Log& log);

/// What the child's run.json says of it: on rank 0, `options` as above.
ParentRecord parent_of(const Options& options);

}  // namespace lockstep
