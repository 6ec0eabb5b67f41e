// Rank 0's text on every rank: for what one rank reads and all must know.
//
// Every rank calls it together, on any backend; it waits. Errors: those of the exchange.
#pragma once
#include <string>
#include <string_view>

#include "lockstep/comm/communicator.hpp"

namespace lockstep {

/// `text` counts on rank 0 only.
std::string broadcast_text(Communicator& communicator, std::string_view text);

}  // namespace lockstep
