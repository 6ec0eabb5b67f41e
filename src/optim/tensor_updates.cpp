#include "optim/tensor_updates.hpp"

#include <ATen/ATen.h>

namespace lockstep::tensors {
namespace {

/// Gradients with L2 and L1 added, in memory of their own unless there is neither: buckets are left as they are.
std::vector<at::Tensor> decayed(at::TensorList parameters, at::TensorList gradients, double l2, double l1) {
  std::vector<at::Tensor> result = l2 == 0 ? gradients.vec() : at::_foreach_add(gradients, parameters, l2);
  return l1 == 0 ? result : at::_foreach_add(result, at::_foreach_sign(parameters), l1);
}

/// Decoupled decay.
void shrink(at::TensorList parameters, double keep, double by) {
  if (keep != 1) at::_foreach_mul_(parameters, keep);
  if (by == 0) return;
  std::vector<at::Tensor> sizes = at::_foreach_abs(parameters);
  at::_foreach_sub_(sizes, by);
  at::_foreach_clamp_min_(sizes, 0.0);
  at::_foreach_sign_(parameters);
  at::_foreach_mul_(parameters, sizes);
}

/// a / b, or 1 where either is 0.
at::Tensor ratio(const at::Tensor& a, const at::Tensor& b) {
  return at::where(at::logical_and(a.gt(0), b.gt(0)), a / b, at::ones_like(a));
}

at::Tensor norm_of(const at::Tensor& values) { return at::linalg_vector_norm(values, 2); }

}  // namespace

void sgd_update(const kernels::SgdFactors& f, at::TensorList parameters, at::TensorList gradients,
                at::TensorList momentum) {
  const at::NoGradGuard no_grad;
  shrink(parameters, f.keep, f.shrink);
  std::vector<at::Tensor> gradient = decayed(parameters, gradients, f.decay, f.l1);
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
  const std::vector<at::Tensor> gradient = decayed(parameters, gradients, f.l2, f.l1);
  at::_foreach_mul_(first_moments, f.beta1);
  at::_foreach_add_(first_moments, gradient, f.rest1);
  at::_foreach_mul_(second_moments, f.beta2);
  at::_foreach_addcmul_(second_moments, gradient, gradient, f.rest2);
  std::vector<at::Tensor> divisor = at::_foreach_sqrt(second_moments);
  at::_foreach_mul_(divisor, f.second_scale);
  at::_foreach_add_(divisor, f.epsilon);
  shrink(parameters, f.keep, f.shrink);
  at::_foreach_addcdiv_(parameters, first_moments, divisor, -f.step_size);
}

void lars_update(const kernels::LarsFactors& f, double trust, at::Tensor parameter, const at::Tensor& gradient,
                 at::Tensor momentum) {
  const at::NoGradGuard no_grad;
  at::Tensor step = (f.decay == 0 ? gradient : at::add(gradient, parameter, f.decay)) * f.rate;
  if (trust != 0) {
    const at::Tensor weights = norm_of(parameter), gradients = norm_of(gradient);
    const at::Tensor both = at::logical_and(weights.gt(0), gradients.gt(0));
    step.mul_(at::where(both, trust * weights / (gradients + f.decay * weights), at::ones_like(weights)));
  }
  parameter.sub_(momentum.mul_(f.momentum).add_(step));
}

void lamb_update(const kernels::LambFactors& f, double lr, bool adapts, at::Tensor parameter,
                 const at::Tensor& gradient, at::Tensor first_moment, at::Tensor second_moment) {
  const at::NoGradGuard no_grad;
  first_moment.mul_(f.beta1).add_(gradient, f.rest1);
  second_moment.mul_(f.beta2).addcmul_(gradient, gradient, f.rest2);
  at::Tensor direction = first_moment * f.first_scale / (second_moment.sqrt() * f.second_scale + f.epsilon);
  if (f.decay != 0) direction.add_(parameter, f.decay);
  if (adapts) direction.mul_(ratio(norm_of(parameter), norm_of(direction)));
  parameter.sub_(direction, lr);
}

}  // namespace lockstep::tensors
