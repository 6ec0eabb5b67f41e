// The answer of --dry-run: a rehearsal as a table for a person.
//
// A pure function.
#pragma once
#include <string>

#include "lockstep/train/trainer.hpp"

namespace lockstep {

std::string rehearsal_text(const Rehearsal& rehearsal, int ranks);

}  // namespace lockstep
