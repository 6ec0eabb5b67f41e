// The optimisers' arithmetic on plain memory: one thread, vectorised by the compiler, in place.
//
// Internal to src/optim. optimiser.hpp has the formulas. Norms are sums in double in an order that neither threads nor
// the processor's vector width change.
#pragma once
#include <cstdint>

namespace lockstep::kernels {

struct SgdFactors {
  float lr, decay, momentum;
  bool nesterov, first;  // first: the momentum buffer starts as the gradient
  float l1 = 0;          // added to the gradient, times p's sign
  float keep = 1;        // p is multiplied by this first (decoupled L2)
  float shrink = 0;      // then brought so much nearer to zero (decoupled L1)
};

void sgd_update(const SgdFactors& factors, std::int64_t n, float* p, const float* g, float* momentum);

struct AdamFactors {
  float beta1, beta2, epsilon;
  float rest1, rest2;  // 1 − β, from double: near 1 a float β would leave nothing right of the difference
  float l2;            // added to the gradient, times p
  float keep;          // p is multiplied by this first (decoupled decay)
  float step_size;     // lr / (1 − β1ᵗ)
  float second_scale;  // 1 / √(1 − β2ᵗ)
  float l1 = 0;        // as SGD's
  float shrink = 0;
};

void adam_update(const AdamFactors& factors, std::int64_t n, float* p, const float* g, float* m, float* v);

struct LarsFactors {
  float rate;  // lr · r
  float decay, momentum;
};

void lars_update(const LarsFactors& factors, std::int64_t n, float* p, const float* g, float* momentum);

struct LambFactors {
  float beta1, beta2, epsilon, rest1, rest2;  // as Adam's
  float first_scale;                          // 1 / (1 − β1ᵗ)
  float second_scale;                         // 1 / √(1 − β2ᵗ)
  float decay;
};

/// Brings m and v up to date; Σ u².
double lamb_moments(const LambFactors& factors, std::int64_t n, const float* p, const float* g, float* m, float* v);
/// p −= rate · u, from moments that are up to date.
void lamb_update(const LambFactors& factors, float rate, std::int64_t n, float* p, const float* m, const float* v);

}  // namespace lockstep::kernels
