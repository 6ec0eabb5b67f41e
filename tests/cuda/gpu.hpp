// The GPU that a test program's ranks compute on, or the reason to skip.
//
// The program is started by mpirun or by hand; the environment takes the GPU before the first test, since LibTorch must
// not compute before. A machine with a GPU where taking it fails fails the tests: only one without is skipped.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "lockstep/comm/accelerator.hpp"
#include "lockstep/core/error.hpp"
#include "support/mpi_main.hpp"

namespace lockstep::testing {

struct TestGpu {
  std::unique_ptr<Accelerator> accelerator;
  std::string reason;  // why there is none
};

inline TestGpu take_test_gpu() {
  if (!std::filesystem::exists("/dev/nvidiactl"))
    return {nullptr, "this machine has no NVIDIA GPU (no /dev/nvidiactl)"};
  try {
    return {open_accelerator(world()), ""};
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.find("would share one GPU") != std::string::npos) return {nullptr, text};
    throw;
  }
}

/// Taken once a process, by the first test.
inline TestGpu& test_gpu() {
  static TestGpu gpu = take_test_gpu();
  return gpu;
}

/// For the start of a test: skips it where there is no GPU for every rank.
#define LOCKSTEP_NEEDS_GPU() \
  if (!::lockstep::testing::test_gpu().accelerator) GTEST_SKIP() << ::lockstep::testing::test_gpu().reason

}  // namespace lockstep::testing
