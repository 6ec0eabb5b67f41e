// The communicator between GPUs: NCCL's collectives, one rank a GPU.
//
// As Communicator says, with tensors on device(). Operations run in a stream of their own (nccl_link.hpp); Work::wait()
// stops the host, Work::let_stream_wait() only the current stream. Combines float16 and bfloat16 beside the five dtypes
// of every backend. Internal to the CUDA part.
#pragma once
#include <memory>

#include "lockstep/comm/communicator.hpp"

namespace lockstep {

/// Every rank of `control` calls it, each with its own GPU; the ranks meet over `control`, which must outlive it.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& control, c10::Device device, Seconds deadline);

}  // namespace lockstep
