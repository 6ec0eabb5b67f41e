// What the training step and the evaluator take their batches from, one after the other.
//
// A source answers a sequence of requests in their order: the loader by reading and transforming images, the feature
// feed by reading what a frozen part of the network made of them. next() is called by one thread at a time. Errors of
// reading are thrown by the next() that would have returned their batch.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lockstep/data/batch_plan.hpp"

namespace lockstep {

struct Batch {
  std::int64_t epoch = 0, step = 0;
  at::Tensor images;              ///< float32 [n, channels, side, side], channels-last in memory, on the device; of a
                                  ///< feature feed what the network makes of them instead
  at::Tensor labels;              ///< int64 [n], −1 where unknown; on the device
  std::vector<std::int64_t> ids;  ///< [n]
  at::Tensor partner_labels{};    ///< int64 [n]: of the sample mixed in; undefined unless the request was mixed
  at::Tensor own_share{};         ///< float32 [n]: of the sample itself, 1 if nothing is mixed in; likewise
};

/// Gives the next request or nothing at the end; in order, by one thread at a time.
using BatchRequests = std::function<std::optional<BatchRequest>()>;

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The next batch, or nothing after the last. The tensors' memory may be used again once the caller has dropped them.
  virtual std::optional<Batch> next() = 0;
  /// Seconds next() has waited for batches, in all.
  virtual double waited_seconds() const = 0;
};

}  // namespace lockstep
