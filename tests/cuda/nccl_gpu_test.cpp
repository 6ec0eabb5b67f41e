// The contract between GPUs, and what only NCCL's communicator does.
#include <ATen/ATen.h>

#include <chrono>
#include <thread>

#include "comm/contract.hpp"
#include "cuda/gpu.hpp"
#include "lockstep/comm/mpi.hpp"

namespace lockstep::testing {
namespace {

/// NCCL between the ranks of the world, and what they meet over.
struct Nccl {
  std::unique_ptr<Communicator> control = make_communicator(world(), Progress::caller, Seconds(60));
  std::unique_ptr<Communicator> gpus = test_gpu().accelerator->make_communicator(*control, Seconds(60));
};

class NcclContract : public ::testing::TestWithParam<ContractCheck> {};

TEST_P(NcclContract, Holds) {
  LOCKSTEP_NEEDS_GPU();
  const Nccl nccl;
  EXPECT_EQ(nccl.gpus->size(), world().size());
  EXPECT_EQ(nccl.gpus->rank(), world().rank());
  EXPECT_EQ(nccl.gpus->name(), "nccl");
  EXPECT_TRUE(nccl.gpus->device().is_cuda());
  GetParam().run(*nccl.gpus);
}

INSTANTIATE_TEST_SUITE_P(All, NcclContract, ::testing::ValuesIn(contract_checks),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(Nccl, SumsHalfPrecision) {
  LOCKSTEP_NEEDS_GPU();
  const Nccl nccl;
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    at::Tensor values = at::full({1001}, 2.0, at::device(nccl.gpus->device()).dtype(dtype));
    nccl.gpus->sum(values).wait();
    EXPECT_EQ(values.to(at::kFloat).sum().item<double>(), 1001 * 2.0 * world().size());
  }
}

TEST(Nccl, BuffersLieOnTheGpu) {
  LOCKSTEP_NEEDS_GPU();
  const Nccl nccl;
  EXPECT_EQ(nccl.gpus->buffer(10, at::kFloat).device(), test_gpu().accelerator->device());
}

TEST(Nccl, RefusesTensorsOfTheHost) {
  LOCKSTEP_NEEDS_GPU();
  const Nccl nccl;
  at::Tensor host = at::zeros({3});
  EXPECT_THROW(nccl.gpus->sum(host), Error);
}

TEST(Nccl, DeadlineNamesOperationAndPlace) {
  LOCKSTEP_NEEDS_GPU();
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  const Nccl nccl;
  at::Tensor values = at::ones({100}, nccl.gpus->device());
  nccl.gpus->barrier();
  if (world().rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  Work work = nccl.gpus->sum(values);
  if (world().rank() == 0) {
    try {
      work.wait(Seconds(0.05));
      ADD_FAILURE() << "no error although rank 1 is late";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), Exit::watchdog);
      const std::string text = error.what();
      EXPECT_NE(text.find("sum of 100 float32"), std::string::npos) << text;
      EXPECT_NE(text.find("(nccl)"), std::string::npos) << text;
    }
  }
  work.wait();
  EXPECT_EQ(values.sum().item<double>(), 100.0 * world().size());
}

TEST(Nccl, ARankThatNeverComesEndsTheOthersByTheDeadline) {
  LOCKSTEP_NEEDS_GPU();
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  const Nccl nccl;
  const auto brief = test_gpu().accelerator->make_communicator(*nccl.control, Seconds(2));
  if (world().rank() == 0) {
    at::Tensor values = at::ones({1 << 20}, brief->device());
    try {
      brief->sum(values).let_stream_wait();
      brief->settle();
      ADD_FAILURE() << "a sum of one rank of several got done";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), Exit::watchdog) << error.what();
    }
    at::Tensor more = at::ones({1}, brief->device());
    EXPECT_THROW(brief->sum(more), Error) << "an exchange that failed stays failed";
    EXPECT_EQ(at::ones({10}, brief->device()).sum().item<double>(), 10.0) << "the GPU goes on";
  }
  nccl.control->barrier();
}

}  // namespace
}  // namespace lockstep::testing
