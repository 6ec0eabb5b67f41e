// A communicator of NCCL with its stream, the operations under way on it, and a thread that watches them.
//
// The stream is its own and of high priority: sums start while compute kernels queue. Every operation is ordered behind
// what the caller's current stream was given before, by an event. NCCL runs in its nonblocking form, so that no call
// waits for another rank without a limit. The watch looks every 50 ms for errors that NCCL met on its own and for an
// operation older than the deadline (counted from when it was posted); it then aborts NCCL, which ends kernels that
// wait for a dead rank and lets a host that waits for the GPU go on, and every later call throws the reason.
// Thread-safe but for run(), which one thread at a time calls. Internal to the CUDA part.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "cuda_calls.hpp"
#include "lockstep/comm/work.hpp"

namespace lockstep {

class NcclLink;

/// An operation in the link's stream. Keeps its tensors until the GPU has done it: their memory must not be given to
/// the compute stream again before that.
class NcclPending final : public Pending {
 public:
  NcclPending(NcclLink& link, Operation operation);

  bool test() override;
  bool wait_until(Clock::time_point deadline) override;
  bool hold_stream() override;

  const Operation& operation() const { return operation_; }

 private:
  friend class NcclLink;
  std::weak_ptr<NcclLink> link_;
  c10::DeviceIndex gpu_;
  Operation operation_;
  Clock::time_point posted_ = Clock::now();
  GpuEvent done_;
};

class NcclLink : public std::enable_shared_from_this<NcclLink> {
 public:
  /// What an operation asks of NCCL; called between ncclGroupStart and ncclGroupEnd.
  using Calls = std::function<ncclResult_t(ncclComm_t, cudaStream_t)>;

  /// Every rank of `place.size` makes one with the same `id`. Waits for the others until `deadline`.
  static std::shared_ptr<NcclLink> meet(const ncclUniqueId& id, const Place& place, c10::Device device,
                                        Seconds deadline);
  ~NcclLink();
  NcclLink(const NcclLink&) = delete;
  NcclLink& operator=(const NcclLink&) = delete;

  std::shared_ptr<NcclPending> run(const Operation& operation, const Calls& calls);
  /// Returns when the latest operation is done.
  void settle();
  /// Ends everything under way; the first reason stays.
  void fail(Error reason);
  /// Throws the reason of fail(), if there is one.
  void require_sound();

  c10::Device device() const { return device_; }
  Seconds deadline() const { return deadline_; }

 private:
  NcclLink(const Place& place, c10::Device device, Seconds deadline);
  void connect(const ncclUniqueId& id);
  /// Polls until NCCL has finished what it does in the background. With the lock held.
  void await_nccl(ncclResult_t returned, const std::string& call);
  void fail_locked(Error reason);
  void watch();
  void inspect();  // with the lock held
  void forget_done();
  bool drain();
  void close();

  std::shared_ptr<const Place> place_;
  c10::Device device_;
  Seconds deadline_;
  c10::cuda::CUDAStream stream_;

  std::mutex mutex_;
  std::condition_variable stop_watching_;
  bool stopped_ = false;
  ncclComm_t nccl_ = nullptr;                           // null: not yet, or aborted
  std::deque<std::shared_ptr<NcclPending>> under_way_;  // in the stream's order
  std::shared_ptr<NcclPending> latest_;
  std::optional<Error> failure_;
  std::thread watcher_;
};

}  // namespace lockstep
