// Cross-entropy with label smoothing (Szegedy et al., 2016), as torch's CrossEntropyLoss defines it.
//
// logits: float32 [n, classes]. Targets are either labels, int64 [n], each in [0, classes), or probabilities, float32
// [n, classes], whose rows add up to 1 (soft targets: mixtures of samples, a teacher's scores). Smoothing s makes of a
// target t the target (1 − s)·t + s / classes. n may be 0 (a rank without samples): the loss is then 0 and still part
// of a graph, so that its backward takes part in every exchange. With weights, the part of each class counts its weight,
// as torch's do; what the sum is divided by is the caller's choice. Errors: targets of another type or shape.
// Thread-safe.
#pragma once
#include <ATen/core/Tensor.h>

namespace lockstep {

/// Sum (not mean) over the samples: float32 []. The caller divides by the samples of the *global* batch, so that the
/// sum over ranks is the mean over samples.
/// `class_weights`: float32 [classes]; undefined: 1.
at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& targets, double smoothing,
                             const at::Tensor& class_weights = {});

}  // namespace lockstep
