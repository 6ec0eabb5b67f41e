// The main of test programs that run under mpirun: every rank runs every test.
//
// Only rank 0 prints the progress of the tests; the others print their failures, with their rank. The program fails on
// all ranks if any test failed on any. Tests of ranks use EXPECT rather than ASSERT around exchanges: a rank that
// leaves a test early lets the others wait until their deadline.
#pragma once
#include "lockstep/comm/world.hpp"

namespace lockstep::testing {

/// The one World of this process; valid while tests run.
World& world();

}  // namespace lockstep::testing
