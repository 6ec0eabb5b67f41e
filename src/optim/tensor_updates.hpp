// The optimisers' arithmetic by LibTorch's operations on lists of tensors: what every device but the CPU runs.
//
// The formulas of update_kernels.hpp, equal to them within rounding; all parameters in a few launches. They run on CPU
// tensors too, where the tests compare both. In place; outside autograd; lists [parameter] of equal layouts.
#pragma once
#include <ATen/core/Tensor.h>

#include "optim/update_kernels.hpp"

namespace lockstep::tensors {

/// `momentum` is empty where there is none.
void sgd_update(const kernels::SgdFactors& factors, at::TensorList parameters, at::TensorList gradients,
                at::TensorList momentum);

void adam_update(const kernels::AdamFactors& factors, at::TensorList parameters, at::TensorList gradients,
                 at::TensorList first_moments, at::TensorList second_moments);

/// `factors.rate` is the learning rate; `trust`: the coefficient of the layer's own rate, which stays on the device; 0:
/// there is none.
void lars_update(const kernels::LarsFactors& factors, double trust, at::TensorList parameters, at::TensorList gradients,
                 at::TensorList momentum);

/// `adapts`: the rate follows the size of the parameter.
void lamb_update(const kernels::LambFactors& factors, double lr, bool adapts, at::TensorList parameters,
                 at::TensorList gradients, at::TensorList first_moments, at::TensorList second_moments);

}  // namespace lockstep::tensors
