#include "optim/update_kernels.hpp"

#include <algorithm>
#include <cmath>

#include "lockstep/core/sum_of_squares.hpp"
#include "lockstep/core/vector_clones.hpp"

namespace lockstep::kernels {
namespace {

inline float sign(float x) { return static_cast<float>(x > 0) - static_cast<float>(x < 0); }
/// x brought nearer to zero by `by`, not past it.
inline float shrunk(float x, float by) { return std::copysign(std::max(std::abs(x) - by, 0.0f), x); }

LOCKSTEP_VECTOR void sgd_plain(float lr, float decay, float l1, std::int64_t n, float* p, const float* g) {
  for (std::int64_t i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i] + l1 * sign(p[i]));
}

LOCKSTEP_VECTOR void sgd_momentum(float lr, float decay, float l1, float keep, float from_gradient, float from_buffer,
                                  std::int64_t n, float* p, const float* g, float* buffer) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] + decay * p[i] + l1 * sign(p[i]);
    buffer[i] = keep * buffer[i] + gradient;
    p[i] -= lr * (from_gradient * gradient + from_buffer * buffer[i]);
  }
}

LOCKSTEP_VECTOR void shrink_all(float keep, float by, std::int64_t n, float* p) {
  for (std::int64_t i = 0; i < n; ++i) p[i] = shrunk(keep * p[i], by);
}

/// The direction of Adam with decay in it: what LAMB scales.
inline float direction(const LambFactors& f, float p, float m, float v) {
  return m * f.first_scale / (std::sqrt(v) * f.second_scale + f.epsilon) + f.decay * p;
}

}  // namespace

void sgd_update(const SgdFactors& f, std::int64_t n, float* p, const float* g, float* momentum) {
  if (f.keep != 1 || f.shrink != 0) shrink_all(f.keep, f.shrink, n, p);
  if (f.momentum == 0) return sgd_plain(f.lr, f.decay, f.l1, n, p, g);
  const float keep = f.first ? 0.0f : f.momentum;
  sgd_momentum(f.lr, f.decay, f.l1, keep, f.nesterov ? 1.0f : 0.0f, f.nesterov ? f.momentum : 1.0f, n, p, g, momentum);
}

LOCKSTEP_VECTOR void adam_update(const AdamFactors& f, std::int64_t n, float* p, const float* g, float* m, float* v) {
  const float beta1 = f.beta1, beta2 = f.beta2, rest1 = f.rest1, rest2 = f.rest2, epsilon = f.epsilon, l2 = f.l2,
              l1 = f.l1, keep = f.keep, shrink = f.shrink;
  const float step_size = f.step_size, second_scale = f.second_scale;
  for (std::int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] + l2 * p[i] + l1 * sign(p[i]);
    m[i] = beta1 * m[i] + rest1 * gradient;
    v[i] = beta2 * v[i] + rest2 * gradient * gradient;
    p[i] = shrunk(keep * p[i], shrink) - step_size * m[i] / (std::sqrt(v[i]) * second_scale + epsilon);
  }
}

LOCKSTEP_VECTOR void lars_update(const LarsFactors& f, std::int64_t n, float* p, const float* g, float* momentum) {
  const float rate = f.rate, decay = f.decay, keep = f.momentum;
  for (std::int64_t i = 0; i < n; ++i) {
    momentum[i] = keep * momentum[i] + rate * (g[i] + decay * p[i]);
    p[i] -= momentum[i];
  }
}

LOCKSTEP_VECTOR double lamb_moments(const LambFactors& factors, std::int64_t n, const float* p, const float* g,
                                    float* m, float* v) {
  constexpr std::int64_t block = 1024;  // directions of one block are summed up before the next one's are known
  const LambFactors f = factors;
  float directions[block];
  double sum = 0;
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t count = std::min(block, n - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t at = first + i;
      m[at] = f.beta1 * m[at] + f.rest1 * g[at];
      v[at] = f.beta2 * v[at] + f.rest2 * g[at] * g[at];
      directions[i] = direction(f, p[at], m[at], v[at]);
    }
    sum += sum_of_squares(directions, count);
  }
  return sum;
}

LOCKSTEP_VECTOR void lamb_update(const LambFactors& factors, float rate, std::int64_t n, float* p, const float* m,
                                 const float* v) {
  const LambFactors f = factors;
  for (std::int64_t i = 0; i < n; ++i) p[i] -= rate * direction(f, p[i], m[i], v[i]);
}

}  // namespace lockstep::kernels
