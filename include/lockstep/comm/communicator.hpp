// How the ranks of one run exchange tensors.
//
// Every rank calls the same operations with the same sizes and dtypes in the same order, from one thread at a time. An
// operation starts when it is called and is done when its Work says so; several may be under way. Tensors lie on
// device(), are dense (no gaps, no overlaps) and, where rows of ranks are put one after the other, contiguous; autograd
// does not see what is written. Numbers are combined for float32, float64, int64, int32 and uint8, with the same bits
// on every rank, and for whatever else the backend can(); bytes are moved for every dtype. Errors: Error, from the call
// for a wrong tensor, from Work::wait() for what happened on the way; after an abort() or a failed exchange, from every
// later call. A communicator outlives the Work it returned. Backends: serial.hpp, threads.hpp, mpi.hpp and, in the
// CUDA part, NCCL (accelerator.hpp); delayed.hpp slows one down.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "lockstep/comm/work.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {

class Communicator {
 public:
  /// Far above any step, far below the time limit of a job.
  static constexpr Seconds default_deadline{300};

  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return place_->rank; }
  int size() const { return place_->size; }
  const std::string& name() const { return place_->backend; }  ///< the backend: "serial", "threads", "mpi" …
  const Place& place() const { return *place_; }
  Seconds deadline() const { return deadline_; }  ///< what Work::wait() allows
  virtual c10::Device device() const { return c10::Device(c10::kCPU); }

  /// In place; all ranks end with the element-wise sum (maximum, minimum).
  Work sum(at::Tensor& values);
  Work maximum(at::Tensor& values);
  Work minimum(at::Tensor& values);
  /// In place; all ranks end with the values of `root`.
  Work broadcast(at::Tensor& values, int root);
  /// mine: any shape of n elements; all: size()·n elements, rank after rank.
  Work gather_all(const at::Tensor& mine, at::Tensor& all);
  /// all: size()·n elements; mine: n elements, which end as the sum over ranks of the rank()-th part of `all`.
  Work reduce_scatter(const at::Tensor& all, at::Tensor& mine);
  /// mine: [n_r, …], equal but for n_r. Waits. Returns [sum of n_r, …] in rank order; with `root` to that rank only,
  /// and to the others a tensor without rows.
  at::Tensor gather_unequal(const at::Tensor& mine, std::optional<int> root = std::nullopt);
  /// Returns when every rank has called it.
  void barrier();
  /// Returns when every operation posted so far is done on this rank, also those that only a stream waited for; throws
  /// what went wrong with any of them, the deadline's passing included. Nothing to do where every Work is waited for.
  virtual void settle() {}

  /// Zeroed memory of `numel` elements that this backend exchanges best; one dimension, aligned to 64 bytes at least.
  virtual at::Tensor buffer(std::int64_t numel, at::ScalarType dtype);
  /// Every rank calls it. Ranks with the same colour form a communicator, ordered by (key, rank); a negative colour
  /// joins none and gets null.
  virtual std::unique_ptr<Communicator> split(int colour, int key) = 0;
  /// Ends the exchange for all ranks at once, for `reason`. Processes: the run ends with `code`, this never returns.
  /// Ranks in one process: every wait and later call throws an Error with the reason.
  virtual void abort(std::string_view reason, Exit code = Exit::failed) = 0;

  /// The general form behind all of the above: checks and starts `operation`.
  Work post(Operation operation);

 protected:
  Communicator(Place place, Seconds deadline);

  /// Starts a checked operation with flat tensors; null if it is already done.
  virtual std::shared_ptr<Pending> start(const Operation& operation) = 0;
  /// Whether the backend adds and compares this dtype.
  virtual bool combines(at::ScalarType dtype) const = 0;

 private:
  void check_sizes(const Operation& operation) const;
  at::Tensor checked_flat(const at::Tensor& tensor, const Operation& operation) const;
  Work in_place(Operation::Kind kind, at::Tensor& values, int root = Operation::every_rank);
  Error wrong(std::string what, const Operation& operation, std::string hint) const;

  std::shared_ptr<const Place> place_;
  Seconds deadline_;
  std::uint64_t operations_ = 0;
};

}  // namespace lockstep
