// Limits of the gradient that an optimiser sees: of its elements, then of its length as one vector.
//
// Works on the summed gradients, after Reducer::finish(), in their buckets, which every rank holds with the same bits:
// so every rank finds the same norm and cuts alike, whatever its threads. The formula of torch's clip_grad_norm_
// (Pascanu et al., 2013): all are multiplied by limit / (norm + 1e-6) where that is below 1. Frozen parameters have no
// gradient and don't count. Memory: nothing. Time O(parameters), one pass to measure, one to cut. On a GPU nothing
// waits: the norm is a tensor there.
#pragma once
#include <ATen/core/Tensor.h>

#include "lockstep/config/run_config.hpp"
#include "lockstep/gradients/gradient_buckets.hpp"

namespace lockstep {

/// Euclidean norm of all gradients together: float64 [], where the buckets are. Not finite if an element isn't.
at::Tensor gradient_norm(const GradientBuckets& buckets);

/// Cuts as `limits` say. The norm before it is cut (behind a cut of elements, if there is one); undefined where there is
/// no limit.
at::Tensor clip_gradients(GradientBuckets& buckets, const ClippingConfig& limits);

}  // namespace lockstep
