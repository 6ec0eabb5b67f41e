// The answer of --dry-run: a rehearsal as a table for a person.
//
// A pure function.
#pragma once
#include <cstdint>
#include <string>

#include "lockstep/train/trainer.hpp"

namespace lockstep {

/// `gpu_bytes`: the most memory that rank 0 held on its GPU; 0: it has none.
std::string rehearsal_text(const Rehearsal& rehearsal, int ranks, std::int64_t gpu_bytes);

}  // namespace lockstep
