#include "optim/update_kernels.hpp"

#include <cmath>

#include "lockstep/core/vector_clones.hpp"

namespace lockstep::kernels {
namespace {

LOCKSTEP_VECTOR void sgd_plain(float lr, float decay, std::int64_t n, float* p, const float* g) {
  for (std::int64_t i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i]);
}

LOCKSTEP_VECTOR void sgd_momentum(float lr, float decay, float keep, float from_gradient, float from_buffer,
                                  std::int64_t n, float* p, const float* g, float* buffer) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] + decay * p[i];
    buffer[i] = keep * buffer[i] + gradient;
    p[i] -= lr * (from_gradient * gradient + from_buffer * buffer[i]);
  }
}

}  // namespace

void sgd_update(const SgdFactors& f, std::int64_t n, float* p, const float* g, float* momentum) {
  if (f.momentum == 0) return sgd_plain(f.lr, f.decay, n, p, g);
  const float keep = f.first ? 0.0f : f.momentum;
  sgd_momentum(f.lr, f.decay, keep, f.nesterov ? 1.0f : 0.0f, f.nesterov ? f.momentum : 1.0f, n, p, g, momentum);
}

LOCKSTEP_VECTOR void adam_update(const AdamFactors& f, std::int64_t n, float* p, const float* g, float* m, float* v) {
  const float beta1 = f.beta1, beta2 = f.beta2, rest1 = f.rest1, rest2 = f.rest2, epsilon = f.epsilon, l2 = f.l2,
              keep = f.keep;
  const float step_size = f.step_size, second_scale = f.second_scale;
  for (std::int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] + l2 * p[i];
    m[i] = beta1 * m[i] + rest1 * gradient;
    v[i] = beta2 * v[i] + rest2 * gradient * gradient;
    p[i] = keep * p[i] - step_size * m[i] / (std::sqrt(v[i]) * second_scale + epsilon);
  }
}

}  // namespace lockstep::kernels
