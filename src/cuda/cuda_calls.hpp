// The only door to CUDA's and NCCL's C functions: return codes become an Error in words, events close themselves.
//
// Internal to the CUDA part. Functions may be called from any thread; they concern the calling thread's current GPU.
#pragma once
#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <nccl.h>

#include "lockstep/core/error.hpp"

namespace lockstep {

/// Throws unless `code` is cudaSuccess. `call`: the function that returned it, such as "cudaEventRecord".
inline void check_cuda(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // CUDA keeps it for the next caller otherwise
  throw Error(fmt::format("CUDA reports: {} ({})", cudaGetErrorString(code), cudaGetErrorName(code)), call,
              "look for the first error among all ranks: it is the cause; nvidia-smi and dmesg tell of a failed GPU");
}

/// The sentence for a failed NCCL call; `communicator` may be null.
inline Error nccl_error(ncclResult_t code, ncclComm_t communicator, const std::string& call) {
  const char* more = ncclGetLastError(communicator);
  return Error(fmt::format("NCCL reports: {}{}{}", ncclGetErrorString(code), more != nullptr && *more != 0 ? ": " : "",
                           more == nullptr ? "" : more),
               call, "look for the first error among all ranks; NCCL_DEBUG=INFO says more", Exit::watchdog);
}

/// A point in a stream's order of work. Marks nothing until it was recorded once. Not copied, not timed.
class GpuEvent {
 public:
  GpuEvent() { check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate"); }
  ~GpuEvent() { cudaEventDestroy(event_); }
  GpuEvent(const GpuEvent&) = delete;
  GpuEvent& operator=(const GpuEvent&) = delete;

  void record(cudaStream_t stream) { check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  /// What `stream` is given from now on comes after this point.
  void hold(cudaStream_t stream) const { check_cuda(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent"); }
  bool passed() const {
    const cudaError_t code = cudaEventQuery(event_);
    if (code == cudaErrorNotReady) {
      cudaGetLastError();
      return false;
    }
    check_cuda(code, "cudaEventQuery");
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace lockstep
