// The optimisers' arithmetic on plain memory: one thread, vectorised by the compiler, in place.
#pragma once
#include <cstdint>

namespace lockstep::kernels {

struct SgdFactors {
  float lr, decay, momentum;
  bool nesterov, first;  // first: the momentum buffer starts as the gradient
};

void sgd_update(const SgdFactors& factors, std::int64_t n, float* p, const float* g, float* momentum);

struct AdamFactors {
  float beta1, beta2, epsilon;
  float rest1, rest2;  // 1 − β, from double: near 1 a float β would leave nothing right of the difference
  float l2;            // added to the gradient, times p
  float keep;          // p is multiplied by this first (decoupled decay)
  float step_size;     // lr / (1 − β1ᵗ)
  float second_scale;  // 1 / √(1 − β2ᵗ)
};

void adam_update(const AdamFactors& factors, std::int64_t n, float* p, const float* g, float* m, float* v);

}  // namespace lockstep::kernels
