#include "gpu_facts.hpp"

#include <fmt/format.h>

#include <regex>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

/// The oldest driver of a CUDA major version (NVIDIA's table "CUDA Toolkit and Minimum Required Driver Version").
std::string oldest_driver(int runtime) {
  switch (runtime / 1000) {
    case 13:
      return "driver 580 or later";
    case 12:
      return "driver 525 or later";
    default:
      return fmt::format("a driver for CUDA {}", runtime / 1000);
  }
}

/// The oldest compute capability, times 10, that a CUDA major version compiles for: 13 dropped Maxwell, Pascal, Volta.
int oldest_capability(int runtime) { return runtime >= 13000 ? 75 : 50; }

const char* generation(int major, int minor) {
  switch (major) {
    case 5:
      return "Maxwell";
    case 6:
      return "Pascal";
    case 7:
      return minor < 5 ? "Volta" : "Turing";
    default:
      return "an older generation";
  }
}

}  // namespace

std::string cuda_version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

std::string driver_name(const std::string& proc_text) {
  static const std::regex version(R"(\b(\d{3,4}\.\d+(\.\d+)?)\b)");
  std::smatch found;
  return std::regex_search(proc_text, found, version) ? found[1].str() : std::string();
}

void require_driver(const DriverFacts& driver) {
  const std::string needed = oldest_driver(driver.runtime);
  if (driver.driver == 0) {
    throw Error("no NVIDIA driver runs on this machine", driver.host,
                fmt::format("start on a node with GPUs and {}, or use --device cpu", needed));
  }
  if (driver.driver / 1000 < driver.runtime / 1000) {
    throw Error(
        fmt::format("the NVIDIA driver{}{} serves CUDA {}, this LibTorch needs CUDA {}", driver.name.empty() ? "" : " ",
                    driver.name, cuda_version_text(driver.driver), cuda_version_text(driver.runtime)),
        driver.host, fmt::format("install {}, or a LibTorch for the older CUDA", needed));
  }
  if (driver.visible > 0) return;
  throw Error(fmt::format("no GPU is to be seen{}{}", driver.fault.empty() ? "" : ": ", driver.fault), driver.host,
              "ask the batch system for GPUs, look at CUDA_VISIBLE_DEVICES and nvidia-smi, or use --device cpu");
}

void require_served(const GpuFacts& gpu, const DriverFacts& driver) {
  const int oldest = oldest_capability(driver.runtime);
  if (10 * gpu.major + gpu.minor >= oldest) return;
  throw Error(
      fmt::format("{} has compute capability {}.{} ({}); CUDA {} begins with {}.{}", gpu.name, gpu.major, gpu.minor,
                  generation(gpu.major, gpu.minor), cuda_version_text(driver.runtime), oldest / 10, oldest % 10),
      driver.host, "use a newer GPU, a LibTorch built for an older CUDA (-DLIBTORCH=DIR), or --device cpu");
}

std::string describe(const GpuFacts& gpu, const DriverFacts& driver) {
  return fmt::format("{} ({:.1f} GiB, compute capability {}.{}), driver {}, CUDA {}", gpu.name,
                     static_cast<double>(gpu.memory_bytes) / (1 << 30), gpu.major, gpu.minor,
                     driver.name.empty() ? "for CUDA " + cuda_version_text(driver.driver) : driver.name,
                     cuda_version_text(driver.runtime));
}

}  // namespace lockstep
