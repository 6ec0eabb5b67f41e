// The door of the CUDA part: the one symbol that the program looks up, and the Accelerator behind it.
#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "gpu.hpp"
#include "lockstep/comm/accelerator.hpp"
#include "nccl_communicator.hpp"

namespace lockstep {
namespace {

/// LibTorch's CUDA half was loaded with this library; its CPU half must not have looked for it before.
void require_noticed() {
  if (at::globalContext().hasCUDART()) return;
  throw defect("LibTorch was used before the CUDA part was loaded and now takes CUDA for absent", "open_accelerator");
}

class CudaAccelerator final : public Accelerator {
 public:
  explicit CudaAccelerator(int local_rank) : taken_(take_gpu(local_rank)) {
    at::globalContext().lazyInitDevice(c10::kCUDA);
    // float32 means float32: TF32 rounds the factors of products to 10 bits, and curves would leave those of the CPU.
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
  }

  c10::Device device() const override { return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(taken_.index)); }
  std::string description() const override { return describe(taken_.gpu, taken_.driver); }
  std::string identity() const override { return taken_.gpu.identity; }
  int visible() const override { return taken_.driver.visible; }
  std::unique_ptr<Communicator> make_communicator(Communicator& control, Seconds deadline) override {
    return make_nccl_communicator(control, device(), deadline);
  }
  std::int64_t peak_bytes() const override {
    const auto whole = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return c10::cuda::CUDACachingAllocator::getDeviceStats(device().index()).allocated_bytes[whole].peak;
  }

 private:
  TakenGpu taken_;
};

Accelerator* open(int local_rank) {
  require_noticed();
  return new CudaAccelerator(local_rank);
}

}  // namespace
}  // namespace lockstep

extern "C" const lockstep::AcceleratorEntry* lockstep_accelerator_entry() {
  static const lockstep::AcceleratorEntry entry{lockstep::accelerator_version, lockstep::open};
  return &entry;
}
