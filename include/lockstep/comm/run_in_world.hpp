// The frame of every command that runs on several ranks: makes the World, turns exceptions into a sentence and a code.
//
// Called once, on the main thread. A usage error must be one that every rank finds in the same words (option, config):
// rank 0 says it and all end alike. Any other exception on any rank ends the whole run with its exit code, since the
// other ranks would wait for this one in their next exchange; the sentence carries rank and host where there are
// several.
#pragma once
#include <functional>
#include <string_view>

#include "lockstep/comm/world.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/log.hpp"

namespace lockstep {

/// `command` opens the sentence: "lockstep train".
Exit run_in_world(std::string_view command, const std::function<Exit(World&, const Log&)>& work);

/// Prints an answer to stdout, once for all ranks.
Exit say(const World& world, std::string_view text);

}  // namespace lockstep
