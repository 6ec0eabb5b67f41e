// Who sits on which GPU, as every rank learns it from all others before NCCL is asked: it would hang or fail in
// riddles.
//
// Values; internal to src/comm and its tests.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "lockstep/core/error.hpp"

namespace lockstep {

struct GpuSeat {
  std::string host;
  std::string gpu;              // Accelerator::identity(); empty where the rank has none
  int visible = 0;              // GPUs the rank sees
  std::string failure;          // why it has none, as a sentence; empty: it has one
  Exit exit_code = Exit::done;  // of that failure

  std::string to_text() const;
  static GpuSeat from_text(const std::string& text);
};

/// What keeps these ranks [rank] from training together, in words that are the same on all of them.
std::optional<Error> fault_of(std::span<const GpuSeat> seats);

}  // namespace lockstep
