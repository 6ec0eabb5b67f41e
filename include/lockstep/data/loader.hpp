// Batches prepared ahead by worker threads: a bounded queue between the data set and the training step.
//
// A request names what a batch holds; the loader pulls requests in order and hands the batches out in the same order,
// at most `prefetch` of them ahead. Because a request carries its epoch, prefetching runs over the ends of epochs.
// next() is called by one thread (the trainer's); the loader owns its workers and joins them on destruction. An error
// of a worker (a damaged shard) is thrown by the next() that would have returned its batch. Memory: (prefetch + 2)
// batches of n·c·side·side values, reused, plus one scratch image per worker; flat in the number of samples. For a GPU
// this memory is pinned, and a thread more copies batches ahead, which costs three batches on the device.
#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/batch_source.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/data/mixing.hpp"
#include "lockstep/data/sample_pipeline.hpp"

namespace lockstep {

class DeviceFeed;

/// What happens to a sample; pure functions of where it occurs.
struct SampleDraws {
  std::function<Augmentation(std::int64_t epoch, std::int64_t id, std::int32_t copy)> augment;
  std::function<Mix(std::int64_t epoch, std::int64_t id, std::int32_t copy)> mix;  ///< of mixed requests alone
};

struct LoaderSettings {
  std::int64_t threads = 1, prefetch = 1;       ///< both >= 1
  SlotType slot = SlotType::float32;            ///< uint8: normalised when next() hands the batch out
  c10::Device device = c10::Device(c10::kCPU);  ///< where batches are handed out
};

class Loader : public BatchSource {
 public:
  /// `requests` are asked for under a lock by the workers. Labels and ids come from `split`, pixels from `samples`: the split itself or what reads ahead for it. All must
  /// outlive the loader.
  Loader(const DataSplit& split, const StoredSamples& samples, const ImageTransform& transform, SampleDraws draws,
         BatchRequests requests, const LoaderSettings& settings);
  ~Loader() override;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::optional<Batch> next() override;
  double waited_seconds() const override;
  /// What reading, decoding and transforming have cost all workers so far.
  PipelineCosts costs() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::unique_ptr<DeviceFeed> feed_;  // null on the CPU
  double waited_ = 0;
};

}  // namespace lockstep
