// The gradients of a model as views into a few flat buckets, so that exchange, norm and optimiser see large arrays.
//
// Sets the .grad of every parameter that requires a gradient to a view with the parameter's own sizes and strides
// (channels-last too); others are left alone. Backward then adds straight into the buckets. Zero the buckets by zero(),
// not by Module::zero_grad() or Optimizer::zero_grad(), which cannot zero views. Bucket memory comes from the
// communicator and lives as long as any view of it. Used by the thread that runs backward. Errors: a parameter that is
// no float32 leaf on the communicator's device, has gaps or overlaps in memory.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/gradients/bucket_plan.hpp"

namespace lockstep {

/// Tensors under their names, in registration order: what Module::named_parameters().pairs() gives.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

class GradientBuckets {
 public:
  /// `parameters`: all of the model; a tensor registered under two names is taken once, under the first.
  GradientBuckets(Communicator& communicator, const NamedTensors& parameters, const BucketSizes& sizes = {});

  const BucketPlan& plan() const { return plan_; }
  /// Those with a gradient, in registration order: [i] has plan().slots[i].
  const NamedTensors& parameters() const { return parameters_; }
  std::size_t count() const { return buckets_.size(); }
  /// Flat, float32, plan().buckets[i].numel elements; the gaps between parameters are zero.
  at::Tensor& bucket(std::size_t i) { return buckets_[i]; }
  const at::Tensor& bucket(std::size_t i) const { return buckets_[i]; }
  std::int64_t bytes() const;

  /// Zeroes all gradients.
  void zero();
  /// Throws unless the .grad of parameter `i` still is its view: something replaced it or set it to none.
  void check_view(std::size_t i) const;

 private:
  at::Tensor view(std::size_t i) const;

  NamedTensors parameters_;
  BucketPlan plan_;
  std::vector<at::Tensor> buckets_;  // [bucket]
};

}  // namespace lockstep
