#include "support/mpi_main.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

namespace lockstep::testing {
namespace {

std::unique_ptr<World> the_world;  // MPI itself is one per process, and tests take no arguments

/// Prints failures only, with the rank that met them.
class FailurePrinter final : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", world().rank(), result.file_name(), result.line_number(),
                 result.message());
  }
};

void leave_printing_to_rank_0() {
  if (world().rank() == 0) return;
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new FailurePrinter);  // gtest deletes it
}

}  // namespace

World& world() { return *the_world; }

int run_on_all_ranks() {
  the_world = std::make_unique<World>();
  leave_printing_to_rank_0();
  std::vector<std::int64_t> failures = {RUN_ALL_TESTS()};
  the_world->sum(failures);
  the_world.reset();
  return failures[0] == 0 ? 0 : 1;
}

}  // namespace lockstep::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return lockstep::testing::run_on_all_ranks();
}
