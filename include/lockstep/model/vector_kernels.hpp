// The element-wise arithmetic of the custom layers on plain memory: one thread, no tensors, vectorised by the compiler.
//
// "Rows" are pixels (or samples of a dense layer): `x` is float32 [rows, channels], channels contiguous, which is a
// channels-last image batch seen flat. Compiled for AVX-512, AVX2 and plain x86-64 in one binary, chosen at start.
// exp is a polynomial of degree 6 after range reduction (relative error below 3e-7, checked against libm in the tests).
// Mish (Misra 2019) with one exponential: with w = eˣ and n = w(w + 2), tanh(softplus(x)) = n / (n + 2).
// Hardswish (Howard et al., 2019): x times the hard sigmoid, min(max(x/6 + 1/2, 0), 1).
// All functions are pure in their outputs and may run on several threads over disjoint rows. Arrays do not overlap. The
// bits of a result depend on neither instruction set nor alignment nor row (no contraction to fused multiply-adds).
#pragma once
#include <cstdint>

namespace lockstep::kernels {

enum class Curve { identity, relu, silu, mish, hardswish };  ///< what follows the affine part

/// Adds to `sum` and `square` [channels] the sums of x and x² over the rows, in double (so that the variance of a
/// channel with a large mean survives).
void channel_sums(const float* x, std::int64_t rows, std::int64_t channels, double* sum, double* square);

/// y = curve(x · scale[c] + shift[c]).
void affine_curve(Curve curve, const float* x, std::int64_t rows, std::int64_t channels, const float* scale,
                  const float* shift, float* y);

/// dz = dy · curve'(x · scale[c] + shift[c]); adds Σ dz and Σ dz·(x − mean[c]) over the rows to the two sums, in
/// double.
void affine_curve_gradient(Curve curve, const float* x, const float* dy, std::int64_t rows, std::int64_t channels,
                           const float* scale, const float* shift, const float* mean, float* dz, double* sum,
                           double* dot);

/// dx = a[c]·dz + b[c]·x + k[c], in place of dz.
void affine_combine(const float* x, std::int64_t rows, std::int64_t channels, const float* a, const float* b,
                    const float* k, float* dz);

/// Dropout's mask of one sample: keep[i] = 1 where draw i of the coordinates (seed, step, sample, layer) is at least
/// `drop` of the unit interval, else 0. i counts (row, column, channel) for images.
void dropout_mask(std::uint64_t seed, std::uint64_t step, std::uint64_t sample, std::uint32_t layer, double drop,
                  std::int64_t elements, std::uint8_t* keep);

/// y = x · keep · factor.
void scale_kept(const float* x, const std::uint8_t* keep, std::int64_t elements, float factor, float* y);

/// The exponential used above, for its test.
void exponential(const float* x, std::int64_t elements, float* y);

}  // namespace lockstep::kernels
