// Asks the CUDA runtime for this process's driver and GPUs and takes one of them.
//
// Internal to the CUDA part. Errors: those of gpu_facts.hpp, and what CUDA reports when the GPU is touched.
#pragma once
#include "gpu_facts.hpp"

namespace lockstep {

struct TakenGpu {
  int index = 0;  ///< among the visible ones
  GpuFacts gpu;
  DriverFacts driver;
};

/// GPU local_rank modulo the visible ones becomes the calling thread's current one. Modulo: a batch system may show
/// each rank only its own GPU; ranks that would share one are found by its identity (gpu_seats).
TakenGpu take_gpu(int local_rank);

}  // namespace lockstep
