#include "gpu.hpp"

#include <c10/cuda/CUDAFunctions.h>

#include <fstream>
#include <iterator>
#include <string_view>

#include "cuda_calls.hpp"
#include "lockstep/core/machine.hpp"

namespace lockstep {
namespace {

DriverFacts ask_driver() {
  DriverFacts facts;
  facts.host = host_name();
  facts.runtime = CUDART_VERSION;
  if (cudaDriverGetVersion(&facts.driver) != cudaSuccess) facts.driver = 0;
  std::ifstream proc("/proc/driver/nvidia/version");
  facts.name = driver_name(std::string(std::istreambuf_iterator<char>(proc), {}));
  if (const cudaError_t code = cudaGetDeviceCount(&facts.visible); code != cudaSuccess) {
    cudaGetLastError();
    facts.visible = 0;
    if (code != cudaErrorNoDevice) facts.fault = cudaGetErrorString(code);
  }
  return facts;
}

GpuFacts ask_gpu(int index) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  std::string identity = "GPU-";
  for (const char byte : std::string_view(properties.uuid.bytes, sizeof(properties.uuid.bytes)))
    identity += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return {properties.name, identity, properties.major, properties.minor,
          static_cast<std::int64_t>(properties.totalGlobalMem)};
}

}  // namespace

TakenGpu take_gpu(int local_rank) {
  const DriverFacts driver = ask_driver();
  require_driver(driver);
  const int index = local_rank % driver.visible;
  const GpuFacts gpu = ask_gpu(index);
  require_served(gpu, driver);
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
  return {index, gpu, driver};
}

}  // namespace lockstep
