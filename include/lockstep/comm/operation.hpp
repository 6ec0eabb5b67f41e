// One collective operation as a value: what every backend gets to execute, and what errors quote.
//
// Tensors in it are flat (one dimension, contiguous) views of the caller's memory, outside autograd. The Operation
// keeps that memory alive. A value; no thread of its own.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct Operation {
  enum class Kind { sum, maximum, minimum, broadcast, gather_all, gather_unequal, reduce_scatter, barrier };
  static constexpr int every_rank = -1;

  Kind kind = Kind::barrier;
  at::Tensor input;       ///< what this rank gives; undefined for a barrier and for operations in place
  at::Tensor output;      ///< what this rank gets; for operations in place both; undefined where it gets nothing
  int root = every_rank;  ///< broadcast: the giver; gather_unequal: the receiver
  std::vector<std::int64_t> rows;  ///< gather_unequal: rows of each rank, [rank]
  std::int64_t row_elements = 0;   ///< gather_unequal: elements of one row, equal on all ranks
  std::uint64_t sequence = 0;      ///< position among the operations of its communicator, from 1

  /// Bytes this rank gives, or gets where it gives nothing.
  std::int64_t bytes() const;
};

/// "sum of 10 float32", "broadcast of 3 int64 from rank 0", "barrier": what must be equal on all ranks, in words.
std::string describe(const Operation& operation);

/// Sums, maxima and minima combine numbers; all other kinds only move bytes.
bool combines_numbers(Operation::Kind kind);

}  // namespace lockstep
