// Dropout (Srivastava et al., 2014) whose masks are functions of the sample, not of the process that computes it.
//
// Input and output: float32, [n, c, h, w] (made channels-last if it is not) or [n, c]; n may be 0 on a rank. The same
// mask on every device. Errors: Error for another dtype. Memory: one byte an element until backward. One thread calls.
#pragma once
#include <ATen/core/Tensor.h>

#include "lockstep/model/batch_context.hpp"

namespace lockstep {

/// Elements are dropped with probability `p` and the others scaled by 1/(1−p), in training; the mask of an element
/// follows from (seed, step, sample id, `layer`, its place in the sample). In evaluation: x itself.
at::Tensor dropout(const at::Tensor& x, double p, std::uint32_t layer, const BatchContext& context);

}  // namespace lockstep
