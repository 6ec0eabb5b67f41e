// The custom layers by LibTorch's operations alone: what every device but the CPU runs.
//
// The same definitions as the kernels for the CPU (batch_norm.cpp, dropout.cpp), equal to them within rounding,
// dropout's masks bit for bit. No operation here waits for the device. They run on CPU tensors too, only slower; so the
// tests compare both without a GPU. Input: float32 [n, c, h, w] or [n, c], n may be 0; Error for another type.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "lockstep/model/batch_context.hpp"
#include "lockstep/model/batch_norm.hpp"

namespace lockstep::tensors {

/// As BatchNormActivation::forward. The sums over the ranks are float64 tensors on the device of `x`.
at::Tensor batch_norm(BatchNormActivation& layer, std::optional<Activation> activation, const at::Tensor& x,
                      const BatchContext& context);

at::Tensor activate(const at::Tensor& x, Activation activation);

/// As lockstep::dropout in training.
at::Tensor dropout(const at::Tensor& x, double p, std::uint32_t layer, const BatchContext& context);

/// bool [n, elements]: true where kernels::dropout_mask has 1. A sample's elements count (row, column, channel).
at::Tensor dropout_mask(const BatchContext& context, std::uint32_t layer, double drop, std::int64_t elements,
                        c10::Device device);

}  // namespace lockstep::tensors
