// The contract for the backends of one process, and what only they can do: name the ranks that differ or are missing.
#include <gtest/gtest.h>

#include "comm/contract.hpp"
#include "comm/rank_threads.hpp"
#include "lockstep/comm/delayed.hpp"
#include "lockstep/comm/serial.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep::testing {
namespace {

class ThreadsContract : public ::testing::TestWithParam<std::tuple<int, ContractCheck>> {};

TEST_P(ThreadsContract, Holds) {
  const auto& [ranks, check] = GetParam();
  run_ranks(ranks, check.run);
}

INSTANTIATE_TEST_SUITE_P(All, ThreadsContract,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 8), ::testing::ValuesIn(contract_checks)),
                         [](const auto& instance) {
                           return std::get<1>(instance.param).name + std::to_string(std::get<0>(instance.param));
                         });

class SerialContract : public ::testing::TestWithParam<ContractCheck> {};

TEST_P(SerialContract, Holds) { GetParam().run(*make_serial_communicator()); }

INSTANTIATE_TEST_SUITE_P(All, SerialContract, ::testing::ValuesIn(contract_checks),
                         [](const auto& instance) { return std::string(instance.param.name); });

class DelayedContract : public ::testing::TestWithParam<ContractCheck> {};

TEST_P(DelayedContract, Holds) {
  run_ranks(2, [&](Communicator& inner) {
    const auto delayed = make_delayed_communicator(inner.split(0, 0), {.latency = Seconds(1e-4)});
    GetParam().run(*delayed);
  });
}

INSTANTIATE_TEST_SUITE_P(All, DelayedContract, ::testing::ValuesIn(contract_checks),
                         [](const auto& instance) { return std::string(instance.param.name); });

/// What each of `ranks` ranks throws from `body`, [rank]; empty where it throws nothing.
std::vector<std::string> errors_of(int ranks, const std::function<void(Communicator&)>& body,
                                   Seconds deadline = Seconds(60)) {
  std::vector<std::string> errors(static_cast<std::size_t>(ranks));
  run_ranks(
      ranks,
      [&](Communicator& communicator) {
        try {
          body(communicator);
        } catch (const Error& error) {
          errors[static_cast<std::size_t>(communicator.rank())] = error.what();
        }
      },
      deadline);
  return errors;
}

TEST(Threads, MismatchNamesBothSidesOnEveryRank) {
  const auto errors = errors_of(3, [](Communicator& communicator) {
    at::Tensor values = at::zeros({10});
    (communicator.rank() == 1 ? communicator.broadcast(values, 0) : communicator.sum(values)).wait();
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("sum of 10 float32"), std::string::npos) << error;
    EXPECT_NE(error.find("rank 1: broadcast of 10 float32 from rank 0"), std::string::npos) << error;
  }
}

TEST(Threads, MismatchOfSizesAndDtypesIsSeen) {
  for (const bool by_size : {true, false}) {
    const auto errors = errors_of(2, [&](Communicator& communicator) {
      const bool odd = communicator.rank() == 1;
      at::Tensor values = at::zeros({by_size && odd ? 11 : 10}, !by_size && odd ? at::kInt : at::kFloat);
      communicator.sum(values).wait();
    });
    for (const std::string& error : errors) EXPECT_NE(error.find("different things"), std::string::npos) << error;
  }
}

TEST(Threads, DeadlineNamesOperationAndMissingRanks) {
  const auto errors = errors_of(4, [](Communicator& communicator) {
    communicator.barrier();
    if (communicator.rank() >= 2) return;
    at::Tensor values = at::zeros({100});
    communicator.sum(values).wait(Seconds(0.05));
  });
  for (int rank : {0, 1}) {
    const std::string& error = errors[static_cast<std::size_t>(rank)];
    EXPECT_NE(error.find("sum of 100 float32 (operation 2, 400 bytes) did not finish within 0.05 s"), std::string::npos)
        << error;
    EXPECT_NE(error.find("not there yet: rank 2, 3"), std::string::npos) << error;
    EXPECT_NE(error.find("rank " + std::to_string(rank) + " of 4"), std::string::npos) << error;
  }
}

TEST(Threads, WorkMayBeWaitedForAgainAfterItsDeadline) {
  run_ranks(2, [](Communicator& communicator) {
    at::Tensor values = at::ones({3});
    if (communicator.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    Work work = communicator.sum(values);
    if (communicator.rank() == 0) {
      try {
        work.wait(Seconds(0));
      } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), Exit::watchdog);
      }
    }
    work.wait();
    EXPECT_EQ(values.sum().item<double>(), 6.0);
  });
}

TEST(Threads, AbortWakesEveryoneWithTheReason) {
  const Stopwatch watch;
  const auto errors = errors_of(3, [](Communicator& communicator) {
    if (communicator.rank() == 2) {
      communicator.abort("disk full");
    }
    communicator.barrier();
  });
  for (const std::string& error : errors) EXPECT_NE(error.find("disk full"), std::string::npos) << error;
  EXPECT_LT(watch.seconds(), 30.0);
}

TEST(Serial, AbortEndsLaterOperations) {
  const auto communicator = make_serial_communicator();
  communicator->abort("enough");
  EXPECT_THROW(communicator->barrier(), Error);
}

TEST(Delayed, OperationsTakeTheirTimeOneAfterTheOther) {
  const auto communicator = make_delayed_communicator(make_serial_communicator(), {Seconds(0.01), 4e6});
  at::Tensor first = at::zeros({20'000}), second = at::zeros({20'000});  // 20 ms each on the link
  const Stopwatch watch;
  Work one = communicator->sum(first), two = communicator->sum(second);
  EXPECT_FALSE(one.test());
  one.wait();
  EXPECT_GE(watch.seconds(), 0.03);
  two.wait();
  EXPECT_GE(watch.seconds(), 0.05);
  at::Tensor third = at::zeros({20'000});
  EXPECT_THROW(communicator->sum(third).wait(Seconds(0.001)), Error);
}

}  // namespace
}  // namespace lockstep::testing
