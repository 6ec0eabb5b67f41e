// Memory of batches that is used again once nobody holds the tensors any more: page faults cost more than filling it.
//
// Large blocks for the CPU lie in huge pages where the system gives them (2 MiB, asked for by madvise, so a system
// without them just gives small ones); for a GPU the memory is pinned. Used under the owner's lock.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lockstep {

class BatchMemory {
 public:
  explicit BatchMemory(bool pinned) : pinned_(pinned) {}

  /// [n, channels, side, side], channels-last in memory, of `type`; content undefined. From a block that only this
  /// object holds, or from a fresh one.
  at::Tensor images(std::int64_t n, std::int64_t channels, std::int64_t side, at::ScalarType type);
  /// A small fresh one-dimensional tensor, pinned if need be.
  at::Tensor values(std::int64_t n, at::ScalarType type) const;

 private:
  at::Tensor fresh(std::int64_t bytes) const;

  bool pinned_;
  std::vector<at::Tensor> blocks_;  // uint8
};

}  // namespace lockstep
