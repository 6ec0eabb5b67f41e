// The part of a network whose result for an image never changes while it trains: its first stages, as far as all their
// parameters are frozen and nothing in them is drawn anew (dropout).
//
// After freezing, the same on every rank. A batch norm whose weight and bias are frozen uses its running statistics and
// keeps them, so it may belong to the prefix. Pure functions; one thread.
#pragma once
#include <cstddef>
#include <string>

#include "lockstep/model/model.hpp"

namespace lockstep {

/// How many of the first stages; 0: none. Never all of them.
std::size_t frozen_stages(const Model& model);

/// Digest of the first `stages` stages: their names, and names, shapes and values of what they own.
std::string prefix_digest(const Model& model, std::size_t stages);

}  // namespace lockstep
