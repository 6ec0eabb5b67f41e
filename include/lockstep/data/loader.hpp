// Batches prepared ahead by worker threads: a bounded queue between the data set and the training step.
//
// A request names what a batch holds; the loader pulls requests in order and hands the batches out in the same order,
// at most `prefetch` of them ahead. Because a request carries its epoch, prefetching runs over the ends of epochs.
// next() is called by one thread (the trainer's); the loader owns its workers and joins them on destruction. An error
// of a worker (a damaged shard) is thrown by the next() that would have returned its batch. Memory: (prefetch + 2)
// batches of n·c·side·side floats, reused, plus one scratch image per worker; flat in the number of samples. For a GPU
// this memory is pinned, and a thread more copies batches ahead, which costs three batches on the device.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/data/sample_pipeline.hpp"

namespace lockstep {

class DeviceFeed;

struct BatchRequest {
  std::int64_t epoch = 0, step = 0;
  std::vector<std::int64_t> positions;  ///< of the split, in batch order; may be empty
};

struct Batch {
  std::int64_t epoch = 0, step = 0;
  at::Tensor images;              ///< float32 [n, channels, side, side], channels-last in memory, on the device
  at::Tensor labels;              ///< int64 [n], −1 where unknown; on the device
  std::vector<std::int64_t> ids;  ///< [n]
};

class Loader {
 public:
  /// Gives the next request or nothing at the end; called under a lock by the workers, in order.
  using Requests = std::function<std::optional<BatchRequest>()>;
  /// What happens to a sample; must be pure.
  using Draw = std::function<Augmentation(std::int64_t epoch, std::int64_t id)>;

  /// `split` and `transform` must outlive the loader. `threads` >= 1, `prefetch` >= 1.
  /// Batches are handed out on `device`.
  Loader(const DataSplit& split, const ImageTransform& transform, Draw draw, Requests requests, std::int64_t threads,
         std::int64_t prefetch, c10::Device device = c10::Device(c10::kCPU));
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, or nothing after the last. The tensors' memory is reused once the caller has dropped them.
  std::optional<Batch> next();
  /// Seconds next() has waited for batches, in all.
  double waited_seconds() const;
  /// What reading, decoding and transforming have cost all workers so far.
  PipelineCosts costs() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::unique_ptr<DeviceFeed> feed_;  // null on the CPU
  double waited_ = 0;
};

}  // namespace lockstep
