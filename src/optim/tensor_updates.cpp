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

/// [tensor] norms, one tensor on their device.
at::Tensor norms_of(at::TensorList tensors) { return at::stack(at::_foreach_norm(tensors, 2)); }

/// Multiplies each tensor by its element of `factors`.
void scale_each(at::TensorList tensors, const at::Tensor& factors) { at::_foreach_mul_(tensors, factors.unbind()); }

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

void lars_update(const kernels::LarsFactors& f, double trust, at::TensorList parameters, at::TensorList gradients,
                 at::TensorList momentum) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> steps = at::_foreach_add(gradients, parameters, f.decay);
  at::_foreach_mul_(steps, f.rate);
  if (trust != 0) {
    const at::Tensor weights = norms_of(parameters), slopes = norms_of(gradients);
    const at::Tensor both = at::logical_and(weights.gt(0), slopes.gt(0));
    scale_each(steps, at::where(both, trust * weights / (slopes + f.decay * weights), at::ones_like(weights)));
  }
  at::_foreach_mul_(momentum, f.momentum);
  at::_foreach_add_(momentum, steps);
  at::_foreach_sub_(parameters, momentum);
}

void lamb_update(const kernels::LambFactors& f, double lr, bool adapts, at::TensorList parameters,
                 at::TensorList gradients, at::TensorList first_moments, at::TensorList second_moments) {
  const at::NoGradGuard no_grad;
  at::_foreach_mul_(first_moments, f.beta1);
  at::_foreach_add_(first_moments, gradients, f.rest1);
  at::_foreach_mul_(second_moments, f.beta2);
  at::_foreach_addcmul_(second_moments, gradients, gradients, f.rest2);
  std::vector<at::Tensor> divisors = at::_foreach_sqrt(second_moments);
  at::_foreach_mul_(divisors, f.second_scale);
  at::_foreach_add_(divisors, f.epsilon);
  std::vector<at::Tensor> directions = at::_foreach_mul(first_moments, f.first_scale);
  at::_foreach_div_(directions, divisors);
  if (f.decay != 0) at::_foreach_add_(directions, parameters, f.decay);
  if (adapts) {
    const at::Tensor weights = norms_of(parameters), lengths = norms_of(directions);
    const at::Tensor both = at::logical_and(weights.gt(0), lengths.gt(0));
    scale_each(directions, at::where(both, weights / lengths, at::ones_like(weights)));
  }
  at::_foreach_add_(parameters, directions, -lr);
}

}  // namespace lockstep::tensors
