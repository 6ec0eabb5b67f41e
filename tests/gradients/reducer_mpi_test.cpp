// Gradients summed over processes equal those of one rank.
#include "gradients/reducer_checks.hpp"
#include "lockstep/comm/mpi.hpp"
#include "lockstep/gradients/broadcast_parameters.hpp"
#include "support/mpi_main.hpp"

namespace lockstep::testing {
namespace {

TEST(ReducerMpi, GradientsEqualOneRank) {
  for (const Progress progress : {Progress::caller, Progress::thread}) {
    const auto communicator = make_mpi_communicator(world(), progress, Seconds(60));
    check_gradients_equal_reference(*communicator);
    check_gradients_equal_reference(*communicator, Overlap::no);
  }
}

TEST(ReducerMpi, ParametersStartAsThoseOfRank0) {
  const auto communicator = make_communicator(world());
  const SmallNetwork network, expected;
  for (const auto& [name, tensor] : network.parameters()) tensor.variable_data().add_(communicator->rank());
  broadcast_parameters(*communicator, network.parameters());
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    EXPECT_TRUE(network.parameter(i).equal(expected.parameter(i))) << network.parameters()[i].first;
  }
}

}  // namespace
}  // namespace lockstep::testing
