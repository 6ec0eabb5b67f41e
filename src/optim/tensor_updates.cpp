#include "optim/tensor_updates.hpp"

#include <ATen/ATen.h>

namespace lockstep::tensors {
namespace {

/// Gradients with L2 decay added, in memory of their own unless there is no decay: buckets are left as they are.
std::vector<at::Tensor> decayed(at::TensorList parameters, at::TensorList gradients, double l2) {
  return l2 == 0 ? gradients.vec() : at::_foreach_add(gradients, parameters, l2);
}

}  // namespace

void sgd_update(const kernels::SgdFactors& f, at::TensorList parameters, at::TensorList gradients,
                at::TensorList momentum) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradient = decayed(parameters, gradients, f.decay);
  if (momentum.empty()) return at::_foreach_add_(parameters, gradient, -f.lr);
  at::_foreach_mul_(momentum, f.first ? 0.0 : f.momentum);
  at::_foreach_add_(momentum, gradient);
  if (f.nesterov) {
    at::_foreach_add_(parameters, gradient, -f.lr);
    at::_foreach_add_(parameters, momentum, -f.lr * f.momentum);
  } else {
    at::_foreach_add_(parameters, momentum, -f.lr);
  }
}

void adam_update(const kernels::AdamFactors& f, at::TensorList parameters, at::TensorList gradients,
                 at::TensorList first_moments, at::TensorList second_moments) {
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> gradient = decayed(parameters, gradients, f.l2);
  at::_foreach_mul_(first_moments, f.beta1);
  at::_foreach_add_(first_moments, gradient, f.rest1);
  at::_foreach_mul_(second_moments, f.beta2);
  at::_foreach_addcmul_(second_moments, gradient, gradient, f.rest2);
  std::vector<at::Tensor> divisor = at::_foreach_sqrt(second_moments);
  at::_foreach_mul_(divisor, f.second_scale);
  at::_foreach_add_(divisor, f.epsilon);
  if (f.keep != 1) at::_foreach_mul_(parameters, f.keep);
  at::_foreach_addcdiv_(parameters, first_moments, divisor, -f.step_size);
}

}  // namespace lockstep::tensors
