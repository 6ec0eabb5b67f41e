// The contract between processes, with and without a progress thread and with every operation cut in pieces.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "comm/contract.hpp"
#include "lockstep/comm/mpi.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "support/mpi_main.hpp"

namespace lockstep::testing {
namespace {

struct Backend {
  const char* name;
  Progress progress;
  MpiPieces pieces;
};
constexpr Backend backends[] = {{"Caller", Progress::caller, {}},
                                {"Thread", Progress::thread, {}},
                                {"Pieces", Progress::thread, {.combined = 999, .largest = 999}}};

class MpiContract : public ::testing::TestWithParam<std::tuple<Backend, ContractCheck>> {};

TEST_P(MpiContract, Holds) {
  const auto& [backend, check] = GetParam();
  const auto communicator = make_mpi_communicator(world(), backend.progress, Seconds(60), backend.pieces);
  EXPECT_EQ(communicator->size(), world().size());
  EXPECT_EQ(communicator->rank(), world().rank());
  check.run(*communicator);
}

INSTANTIATE_TEST_SUITE_P(All, MpiContract,
                         ::testing::Combine(::testing::ValuesIn(backends), ::testing::ValuesIn(contract_checks)),
                         [](const auto& instance) {
                           return std::string(std::get<0>(instance.param).name) + std::get<1>(instance.param).name;
                         });

TEST(Mpi, DeadlineNamesOperationAndPlace) {
  const auto communicator = make_mpi_communicator(world(), Progress::thread, Seconds(60));
  if (communicator->size() == 1) return;
  at::Tensor values = at::ones({100});
  communicator->barrier();
  if (communicator->rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Work work = communicator->sum(values);
  if (communicator->rank() == 0) {
    try {
      work.wait(Seconds(0.05));
      ADD_FAILURE() << "no error although rank 1 is late";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), Exit::watchdog);
      const std::string text = error.what();
      EXPECT_NE(text.find("sum of 100 float32 (operation 2, 400 bytes)"), std::string::npos) << text;
      EXPECT_NE(text.find("rank 0 of"), std::string::npos) << text;
      EXPECT_NE(text.find(world().host()), std::string::npos) << text;
    }
  }
  work.wait();
  EXPECT_EQ(values.sum().item<double>(), 100.0 * communicator->size());
}

TEST(Mpi, ProgressThreadFinishesWithoutTheCaller) {
  const auto communicator = make_mpi_communicator(world(), Progress::thread, Seconds(60));
  at::Tensor values = at::ones({1 << 20});
  Work work = communicator->sum(values);
  // No call into MPI from here on: only the thread can finish it.
  const Stopwatch watch;
  const auto element = [&] { return *static_cast<volatile float*>(values.mutable_data_ptr<float>() + (1 << 20) - 1); };
  while (element() != static_cast<float>(communicator->size()) && watch.seconds() < 30) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LT(watch.seconds(), 30.0);
  work.wait();
}

TEST(Mpi, HalfPrecisionIsRefusedWithAReason) {
  const auto communicator = make_mpi_communicator(world(), Progress::caller);
  at::Tensor values = at::ones({4}, at::kHalf);
  EXPECT_THROW(communicator->sum(values), Error);
}

TEST(World, TextsReachEveryRank) {
  const std::string mine(static_cast<std::size_t>(world().rank()), 'x');
  const std::vector<std::string> all = world().gather_all(mine);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(world().size()));
  for (std::size_t r = 0; r < all.size(); ++r) EXPECT_EQ(all[r], std::string(r, 'x'));
  const int root = world().size() - 1;
  EXPECT_EQ(world().broadcast(world().rank() == root ? "from the last" : "", root), "from the last");
  std::vector<std::int64_t> sums = {1, world().rank()};
  world().sum(sums);
  EXPECT_EQ(sums[0], world().size());
  EXPECT_EQ(sums[1], world().size() * (world().size() - 1) / 2);
}

}  // namespace
}  // namespace lockstep::testing
