// Cross-entropy with label smoothing (Szegedy et al., 2016), as torch's CrossEntropyLoss defines it.
//
// logits: float32 [n, classes]; labels: int64 [n], each in [0, classes). n may be 0 (a rank without samples): the loss
// is then 0 and still part of a graph, so that its backward takes part in every exchange. Thread-safe.
#pragma once
#include <ATen/core/Tensor.h>

namespace lockstep {

/// Sum (not mean) over the samples: float32 []. The caller divides by the samples of the *global* batch, so that the
/// sum over ranks is the mean over samples.
at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& labels, double smoothing);

}  // namespace lockstep
