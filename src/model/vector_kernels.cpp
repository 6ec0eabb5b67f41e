#include "lockstep/model/vector_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lockstep/core/vector_clones.hpp"
#include "model/dropout_draws.hpp"

namespace lockstep::kernels {
namespace {

/// eˣ for x clamped to −87 … 88 (so neither denormal nor infinite); NaN stays NaN.
[[gnu::always_inline]] inline float exp_near(float x) {
  constexpr float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  constexpr float round_magic = 12582912.0f;  // 1.5·2²³: adding it rounds to an integer kept in the low mantissa bits
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * log2_e + round_magic;
  const float n = shifted - round_magic;
  const float r = (x - n * ln2_high) - n * ln2_low;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const auto exponent = static_cast<std::uint32_t>(std::bit_cast<std::int32_t>(shifted)) << 23;
  return p * std::bit_cast<float>(exponent + 0x3F800000u);
}

struct Identity {
  static float value(float z) { return z; }
  static float slope(float) { return 1.0f; }
};
struct Relu {
  static float value(float z) { return z < 0 ? 0.0f : z; }  // NaN stays NaN
  static float slope(float z) { return z > 0 ? 1.0f : 0.0f; }
};
struct Silu {
  [[gnu::always_inline]] static float value(float z) { return z / (1.0f + exp_near(-z)); }
  [[gnu::always_inline]] static float slope(float z) {
    const float s = 1.0f / (1.0f + exp_near(-z));
    return s * (1.0f + z * (1.0f - s));
  }
};
struct Mish {
  // Above 20, tanh(softplus(z)) is 1 in float32 and w² would overflow soon after.
  [[gnu::always_inline]] static float value(float z) {
    const float w = exp_near(z < 20.0f ? z : 20.0f), n = w * (w + 2.0f);
    return z * n / (n + 2.0f);
  }
  [[gnu::always_inline]] static float slope(float z) {
    const float w = exp_near(z < 20.0f ? z : 20.0f), n = w * (w + 2.0f), d = 1.0f / (n + 2.0f);
    return n * d + z * 4.0f * w * (w + 1.0f) * d * d;
  }
};
struct Hardswish {
  static float value(float z) {
    const float gate = z + 3.0f, low = gate < 0.0f ? 0.0f : gate;  // NaN stays NaN
    return z * (low > 6.0f ? 6.0f : low) * (1.0f / 6);
  }
  static float slope(float z) { return z < -3.0f ? 0.0f : (z <= 3.0f ? z * (1.0f / 3) + 0.5f : 1.0f); }
};

/// y may be x itself, or apart from it: then no value depends on one that is written before (ivdep).
template <typename F>
[[gnu::always_inline]] inline void affine_rows(const float* x, std::int64_t rows, std::int64_t channels,
                                               const float* scale, const float* shift, float* y) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < channels; ++c) y[c] = F::value(x[c] * scale[c] + shift[c]);
  }
}

template <typename F>
[[gnu::always_inline]] inline void gradient_rows(const float* __restrict x, const float* __restrict dy,
                                                 std::int64_t rows, std::int64_t channels,
                                                 const float* __restrict scale, const float* __restrict shift,
                                                 const float* __restrict mean, float* __restrict dz,
                                                 double* __restrict sum, double* __restrict dot) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels, dy += channels, dz += channels) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float d = dy[c] * F::slope(x[c] * scale[c] + shift[c]);
      dz[c] = d;
      sum[c] += d;
      dot[c] += static_cast<double>(d) * (x[c] - mean[c]);
    }
  }
}

LOCKSTEP_VECTOR void affine_identity(const float* x, std::int64_t rows, std::int64_t n, const float* a, const float* b,
                                     float* y) {
  affine_rows<Identity>(x, rows, n, a, b, y);
}
LOCKSTEP_VECTOR void affine_relu(const float* x, std::int64_t rows, std::int64_t n, const float* a, const float* b,
                                 float* y) {
  affine_rows<Relu>(x, rows, n, a, b, y);
}
LOCKSTEP_VECTOR void affine_silu(const float* x, std::int64_t rows, std::int64_t n, const float* a, const float* b,
                                 float* y) {
  affine_rows<Silu>(x, rows, n, a, b, y);
}
LOCKSTEP_VECTOR void affine_mish(const float* x, std::int64_t rows, std::int64_t n, const float* a, const float* b,
                                 float* y) {
  affine_rows<Mish>(x, rows, n, a, b, y);
}
LOCKSTEP_VECTOR void affine_hardswish(const float* x, std::int64_t rows, std::int64_t n, const float* a, const float* b,
                                      float* y) {
  affine_rows<Hardswish>(x, rows, n, a, b, y);
}

LOCKSTEP_VECTOR void gradient_identity(const float* x, const float* dy, std::int64_t rows, std::int64_t n,
                                       const float* a, const float* b, const float* m, float* dz, double* sum,
                                       double* dot) {
  gradient_rows<Identity>(x, dy, rows, n, a, b, m, dz, sum, dot);
}
LOCKSTEP_VECTOR void gradient_relu(const float* x, const float* dy, std::int64_t rows, std::int64_t n, const float* a,
                                   const float* b, const float* m, float* dz, double* sum, double* dot) {
  gradient_rows<Relu>(x, dy, rows, n, a, b, m, dz, sum, dot);
}
LOCKSTEP_VECTOR void gradient_silu(const float* x, const float* dy, std::int64_t rows, std::int64_t n, const float* a,
                                   const float* b, const float* m, float* dz, double* sum, double* dot) {
  gradient_rows<Silu>(x, dy, rows, n, a, b, m, dz, sum, dot);
}
LOCKSTEP_VECTOR void gradient_mish(const float* x, const float* dy, std::int64_t rows, std::int64_t n, const float* a,
                                   const float* b, const float* m, float* dz, double* sum, double* dot) {
  gradient_rows<Mish>(x, dy, rows, n, a, b, m, dz, sum, dot);
}
LOCKSTEP_VECTOR void gradient_hardswish(const float* x, const float* dy, std::int64_t rows, std::int64_t n,
                                        const float* a, const float* b, const float* m, float* dz, double* sum,
                                        double* dot) {
  gradient_rows<Hardswish>(x, dy, rows, n, a, b, m, dz, sum, dot);
}

/// Random 32-bit words of consecutive Philox blocks, four per block.
LOCKSTEP_VECTOR void philox_words(const Draws& draws, std::uint64_t first_block, std::int64_t blocks,
                                  std::uint32_t* words) {
  for (std::int64_t i = 0; i < blocks; ++i) {
    const PhiloxBlock block = draws.at(first_block + static_cast<std::uint64_t>(i));
    for (int w = 0; w < 4; ++w) words[4 * i + w] = block[static_cast<std::size_t>(w)];
  }
}

}  // namespace

LOCKSTEP_VECTOR void channel_sums(const float* __restrict x, std::int64_t rows, std::int64_t channels,
                                  double* __restrict sum, double* __restrict square) {
  std::int64_t row = 0;
  // Four rows at a time: a quarter of the loads and stores of the sums.
  for (; row + 4 <= rows; row += 4, x += 4 * channels) {
    const float *x1 = x + channels, *x2 = x1 + channels, *x3 = x2 + channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double a = x[c], b = x1[c], d = x2[c], e = x3[c];
      sum[c] += (a + b) + (d + e);
      square[c] += (a * a + b * b) + (d * d + e * e);
    }
  }
  for (; row < rows; ++row, x += channels) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double a = x[c];
      sum[c] += a;
      square[c] += a * a;
    }
  }
}

void affine_curve(Curve curve, const float* x, std::int64_t rows, std::int64_t channels, const float* scale,
                  const float* shift, float* y) {
  switch (curve) {
    case Curve::identity:
      return affine_identity(x, rows, channels, scale, shift, y);
    case Curve::relu:
      return affine_relu(x, rows, channels, scale, shift, y);
    case Curve::silu:
      return affine_silu(x, rows, channels, scale, shift, y);
    case Curve::mish:
      return affine_mish(x, rows, channels, scale, shift, y);
    case Curve::hardswish:
      return affine_hardswish(x, rows, channels, scale, shift, y);
  }
}

void affine_curve_gradient(Curve curve, const float* x, const float* dy, std::int64_t rows, std::int64_t channels,
                           const float* scale, const float* shift, const float* mean, float* dz, double* sum,
                           double* dot) {
  switch (curve) {
    case Curve::identity:
      return gradient_identity(x, dy, rows, channels, scale, shift, mean, dz, sum, dot);
    case Curve::relu:
      return gradient_relu(x, dy, rows, channels, scale, shift, mean, dz, sum, dot);
    case Curve::silu:
      return gradient_silu(x, dy, rows, channels, scale, shift, mean, dz, sum, dot);
    case Curve::mish:
      return gradient_mish(x, dy, rows, channels, scale, shift, mean, dz, sum, dot);
    case Curve::hardswish:
      return gradient_hardswish(x, dy, rows, channels, scale, shift, mean, dz, sum, dot);
  }
}

LOCKSTEP_VECTOR void affine_combine(const float* __restrict x, std::int64_t rows, std::int64_t channels,
                                    const float* __restrict a, const float* __restrict b, const float* __restrict k,
                                    float* __restrict dz) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels, dz += channels) {
    for (std::int64_t c = 0; c < channels; ++c) dz[c] = a[c] * dz[c] + (b[c] * x[c] + k[c]);
  }
}

void dropout_mask(std::uint64_t seed, std::uint64_t step, std::uint64_t sample, std::uint32_t layer, double drop,
                  std::int64_t elements, std::uint8_t* keep) {
  const Draws draws = dropout_draws(seed, step, sample, layer);
  const std::uint32_t threshold = dropout_threshold(drop);
  constexpr std::int64_t blocks = 64;
  std::uint32_t words[4 * blocks];
  for (std::int64_t i = 0; i < elements; i += 4 * blocks) {
    philox_words(draws, static_cast<std::uint64_t>(i / 4), blocks, words);
    const std::int64_t count = std::min(4 * blocks, elements - i);
    for (std::int64_t j = 0; j < count; ++j) keep[i + j] = words[j] >= threshold ? 1 : 0;
  }
}

LOCKSTEP_VECTOR void scale_kept(const float* x, const std::uint8_t* keep, std::int64_t elements, float factor,
                                float* y) {
  for (std::int64_t i = 0; i < elements; ++i) y[i] = keep[i] != 0 ? x[i] * factor : 0.0f;
}

LOCKSTEP_VECTOR void exponential(const float* x, std::int64_t elements, float* y) {
  for (std::int64_t i = 0; i < elements; ++i) y[i] = exp_near(x[i]);
}

}  // namespace lockstep::kernels
