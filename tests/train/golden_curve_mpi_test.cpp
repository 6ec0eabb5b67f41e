#include "train/golden_curve.hpp"

#include "lockstep/comm/world.hpp"
#include "support/mpi_main.hpp"

namespace lockstep::testing {
namespace {

TEST(GoldenCurves, AreTheStoredOnesUnderMpi) {
  const TemporaryFolder folder;  // one per rank: what is tested is the exchange, not a shared file system
  const Manifest manifest = write_tiny_data_set(folder.path());
  for (const GoldenCurve& curve : golden_curves()) {
    RankCommunicators channels = make_rank_communicators(world(), Seconds(60));
    expect_curve(curve, run_curve(curve, folder.path().string(), manifest, channels));
  }
}

}  // namespace
}  // namespace lockstep::testing
