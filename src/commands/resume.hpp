// What --resume means before any training: the run's own options with what may be said anew, and its newest checkpoint.
//
// Every rank calls these together; rank 0 reads. Errors: an option that would make it another run; a folder that is no
// run, or one whose checkpoints are gone; checkpoints that are all damaged.
#pragma once
#include <optional>

#include "lockstep/checkpoint/checkpoint.hpp"
#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/record/run_folder.hpp"

namespace lockstep {

/// `said`: the command line, with --resume RUN. Options that say nothing about what is computed may differ from the
/// run's, and where it ends.
Options resumed_options(const Options& said, World& world);

struct ResumePoint {
  bool any = false;                  ///< a checkpoint was found; the same on every rank
  std::optional<Checkpoint> newest;  ///< on rank 0
};

/// `keeps_checkpoints`: the run was to keep some before its end.
ResumePoint find_resume_point(const RunFolder& run, bool keeps_checkpoints, World& world, const Log& log);

}  // namespace lockstep
