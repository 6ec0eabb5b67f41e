// What is refused before a GPU computes, told from values: no GPU is needed, nor the CUDA part.
#include "cuda/gpu_facts.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr const char* proc_text =
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)  Sun Jul 27\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n";

DriverFacts good_driver() { return {"node7", 13000, 13010, "580.65.06", 4, ""}; }

std::string sentence_of(const std::function<void()>& check) {
  try {
    check();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Exit::failed);
    return error.what();
  }
  return "nothing wrong";
}

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
}

TEST(Driver, OneThatFitsIsTaken) {
  EXPECT_EQ(sentence_of([] { require_driver(good_driver()); }), "nothing wrong");
}

TEST(Driver, NoneIsSaid) {
  DriverFacts driver = good_driver();
  driver.driver = 0;
  expect_parts(sentence_of([&] { require_driver(driver); }),
               {"no NVIDIA driver runs on this machine · node7 · ", "driver 580 or later", "--device cpu"});
}

TEST(Driver, OneOfAnOlderCudaIsNamedWithBothVersions) {
  DriverFacts driver = good_driver();
  driver.driver = 12080;
  driver.name = "570.86.15";
  expect_parts(sentence_of([&] { require_driver(driver); }),
               {"driver 570.86.15 serves CUDA 12.8, this LibTorch needs CUDA 13.0 · node7 · ", "install driver 580"});
}

TEST(Driver, WithoutAGpuToBeSeenTheReasonIsGiven) {
  DriverFacts driver = good_driver();
  driver.visible = 0;
  driver.fault = "initialization error";
  expect_parts(sentence_of([&] { require_driver(driver); }),
               {"no GPU is to be seen: initialization error · node7 · ", "CUDA_VISIBLE_DEVICES"});
}

TEST(Gpu, VoltaIsTooOldForCuda13ButNotForCuda12) {
  const GpuFacts volta{"Tesla V100-SXM2-16GB", "GPU-1", 7, 0, std::int64_t{16} << 30};
  DriverFacts driver = good_driver();
  expect_parts(sentence_of([&] { require_served(volta, driver); }),
               {"Tesla V100-SXM2-16GB has compute capability 7.0 (Volta); CUDA 13.0 begins with 7.5 · node7 · "});
  driver.runtime = 12060;
  EXPECT_EQ(sentence_of([&] { require_served(volta, driver); }), "nothing wrong");
}

TEST(Gpu, TuringIsTheFirstThatCuda13Serves) {
  const GpuFacts turing{"Tesla T4", "GPU-1", 7, 5, std::int64_t{15} << 30};
  EXPECT_EQ(sentence_of([&] { require_served(turing, good_driver()); }), "nothing wrong");
}

TEST(Gpu, IsDescribedForAPerson) {
  const GpuFacts gpu{"NVIDIA H100 80GB HBM3", "GPU-1", 9, 0, std::int64_t{80} << 30};
  EXPECT_EQ(describe(gpu, good_driver()),
            "NVIDIA H100 80GB HBM3 (80.0 GiB, compute capability 9.0), driver 580.65.06, CUDA 13.0");
  DriverFacts nameless = good_driver();
  nameless.name.clear();
  expect_parts(describe(gpu, nameless), {"driver for CUDA 13.1, CUDA 13.0"});
}

TEST(DriverName, IsReadFromTheKernelsText) {
  EXPECT_EQ(driver_name(proc_text), "580.65.06");
  EXPECT_EQ(driver_name("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57  Mon"), "470.57");
  EXPECT_EQ(driver_name(""), "");
}

}  // namespace
}  // namespace lockstep
