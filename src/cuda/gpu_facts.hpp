// What is known of driver and GPU before anything is computed, and whether this build can work with them.
//
// Plain values, so that every refusal is tested on machines without a GPU; gpu.hpp asks the CUDA runtime for them.
// CUDA versions as the runtime writes them: 1000 · major + 10 · minor.
#pragma once
#include <cstdint>
#include <string>

namespace lockstep {

struct DriverFacts {
  std::string host;
  int runtime = 0;    ///< CUDA version this was built with
  int driver = 0;     ///< newest CUDA version the driver serves; 0: no driver
  std::string name;   ///< the driver's own version, such as "580.65.06"; empty where the system doesn't tell
  int visible = 0;    ///< GPUs
  std::string fault;  ///< what the runtime says instead of a number of GPUs; empty: nothing
};

struct GpuFacts {
  std::string name;          ///< "NVIDIA H100 80GB HBM3"
  std::string identity;      ///< "GPU-" and the UUID
  int major = 0, minor = 0;  ///< compute capability
  std::int64_t memory_bytes = 0;
};

/// Throws Error: no driver; a driver of an older CUDA; no GPU to be seen.
void require_driver(const DriverFacts& driver);
/// Throws Error: a GPU that this CUDA no longer serves.
void require_served(const GpuFacts& gpu, const DriverFacts& driver);

/// "NVIDIA H100 80GB HBM3 (79.2 GiB, compute capability 9.0), driver 580.65.06, CUDA 13.0".
std::string describe(const GpuFacts& gpu, const DriverFacts& driver);
/// The driver's version in the text of /proc/driver/nvidia/version; empty if there is none.
std::string driver_name(const std::string& proc_text);
/// "13.0".
std::string cuda_version_text(int version);

}  // namespace lockstep
