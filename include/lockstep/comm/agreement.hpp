// What all ranks must agree on, checked before it can end in a hang.
//
// Every rank calls these together, in the same order; they wait. Errors reach every rank and name the ranks that
// differ.
#pragma once
#include <functional>
#include <string_view>

#include "lockstep/comm/communicator.hpp"

namespace lockstep {

/// Throws on every rank unless `value` (a digest or a text; long ones are quoted in part) is the same on all. `subject`
/// opens the sentence: "bucket plan".
void require_agreement(Communicator& communicator, std::string_view subject, std::string_view value);

/// Runs `step` on this rank, then learns how the others fared. If it threw anywhere, every rank throws: a failed rank
/// its own exception, the others an Error that quotes the first failed rank, with its exit code. For steps without
/// exchanges, such as opening files: without this the other ranks would wait for the failed one.
void succeed_together(Communicator& communicator, std::string_view subject, const std::function<void()>& step);

}  // namespace lockstep
