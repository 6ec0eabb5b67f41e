// How many cores a rank has for itself: those of its affinity mask, shared with the ranks of its host that have the
// same.
//
// Right for all three ways of starting ranks: each bound to cores of its own, all free on the whole machine, all inside
// the part of a machine that a batch system allotted. At least 1. Every rank calls it together.
#pragma once
#include <cstdint>

#include "lockstep/comm/world.hpp"

namespace lockstep {

std::int64_t core_share(World& world);

}  // namespace lockstep
