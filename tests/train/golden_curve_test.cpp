#include "train/golden_curve.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/rank_threads.hpp"

namespace lockstep::testing {
namespace {

class GoldenCurves : public ::testing::TestWithParam<int> {};

TEST_P(GoldenCurves, AreTheStoredOnesOnRankThreads) {
  at::set_num_threads(1);
  const TemporaryFolder folder;
  const Manifest manifest = write_tiny_data_set(folder.path());
  for (const GoldenCurve& curve : golden_curves()) {
    std::vector<std::vector<double>> losses(static_cast<std::size_t>(GetParam()));  // [rank]
    run_ranks(GetParam(), [&](Communicator& communicator) {
      RankCommunicators channels = split_rank_communicators(communicator);
      losses[static_cast<std::size_t>(communicator.rank())] =
          run_curve(curve, folder.path().string(), manifest, channels);
    });
    for (const auto& of_rank : losses) EXPECT_EQ(of_rank, losses[0]) << "ranks disagree on the loss";
    expect_curve(curve, losses[0]);
    if (HasFailure()) fmt::print("{}: {{{:.9g}}}\n", curve.name, fmt::join(losses[0], ", "));
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, GoldenCurves, ::testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace lockstep::testing
