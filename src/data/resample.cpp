#include "data/resample.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/lanes.hpp"
#include "lockstep/core/vector_clones.hpp"

namespace lockstep::pixels {
namespace {

/// Source rows that are summed at once, while the sum stays in registers.
constexpr int rows_at_once = 4;

/// sum = Σ weights[t] · rows[t], or what is in `sum` already and that.
template <int Count, bool First>
[[gnu::always_inline]] inline void add_rows(const std::uint8_t* const* rows, const float* weights, std::int64_t size,
                                            float* __restrict sum) {
  for (std::int64_t i = 0; i < size; ++i) {
    float total = First ? weights[0] * static_cast<float>(rows[0][i]) : sum[i];
    for (int t = First ? 1 : 0; t < Count; ++t) total += weights[t] * static_cast<float>(rows[t][i]);
    sum[i] = total;
  }
}

template <bool First>
[[gnu::always_inline]] inline void add_up_to_four(const std::uint8_t* const* rows, const float* weights, int count,
                                                  std::int64_t size, float* sum) {
  switch (count) {
    case 1:
      return add_rows<1, First>(rows, weights, size, sum);
    case 2:
      return add_rows<2, First>(rows, weights, size, sum);
    case 3:
      return add_rows<3, First>(rows, weights, size, sum);
    default:
      return add_rows<4, First>(rows, weights, size, sum);
  }
}

/// The vertical pass for one output row: `count` source rows of `size` bytes, `stride` apart, to one of floats.
LOCKSTEP_VECTOR void sum_rows(const std::uint8_t* first, std::int64_t stride, const float* weights, int count,
                              std::int64_t size, float* sum) {
  for (int done = 0; done < count; done += rows_at_once) {
    const int some = std::min(count - done, rows_at_once);
    const std::uint8_t* rows[rows_at_once] = {};
    for (int t = 0; t < some; ++t) rows[t] = first + (done + t) * stride;
    if (done == 0)
      add_up_to_four<true>(rows, weights, some, size, sum);
    else
      add_up_to_four<false>(rows, weights + done, some, size, sum);
  }
}

/// Count 0: as many as `taps` says.
template <int Count>
[[gnu::always_inline]] inline Float4 sum_pixels(const float* pixel, const float* weights, int count) {
  Float4 sum = weights[0] * load(pixel);
  for (int t = 1; t < (Count == 0 ? count : Count); ++t) sum += weights[t] * load(pixel + 3 * t);
  return sum;
}

/// The horizontal pass for RGB: a vector for each pixel, its fourth lane being the next pixel's red; stores overlap by
/// that lane, but for the last one's.
template <int Count>
[[gnu::always_inline]] inline void filter_rgb(const float* line, const Taps& taps, std::int64_t side, Float4 mean,
                                              Float4 factor, float* out) {
  const std::int32_t* first = taps.first.data();
  const float* weights = taps.weights.data();
  for (std::int64_t x = 0; x + 1 < side; ++x, weights += taps.count)
    store(out + 3 * x, (sum_pixels<Count>(line + 3 * first[x], weights, taps.count) - mean) * factor);
  store_rgb(out + 3 * (side - 1), (sum_pixels<Count>(line + 3 * first[side - 1], weights, taps.count) - mean) * factor);
}

LOCKSTEP_VECTOR void filter_line_rgb(const float* line, const Taps& taps, std::int64_t side, const Lanes& mean,
                                     const Lanes& factor, float* out) {
  const Float4 m = load(mean.data()), f = load(factor.data());
  switch (taps.count) {
    case 1:
      return filter_rgb<1>(line, taps, side, m, f, out);
    case 2:
      return filter_rgb<2>(line, taps, side, m, f, out);
    case 3:
      return filter_rgb<3>(line, taps, side, m, f, out);
    default:
      return filter_rgb<0>(line, taps, side, m, f, out);
  }
}

LOCKSTEP_VECTOR void filter_line_grey(const float* line, const Taps& taps, std::int64_t side, float mean, float factor,
                                      float* out) {
  const float* weights = taps.weights.data();
  for (std::int64_t x = 0; x < side; ++x, weights += taps.count) {
    const float* pixel = line + taps.first[static_cast<std::size_t>(x)];
    float sum = weights[0] * pixel[0];
    for (int t = 1; t < taps.count; ++t) sum += weights[t] * pixel[t];
    out[x] = (sum - mean) * factor;
  }
}

}  // namespace

void Taps::place(double begin, double length, std::int64_t view_begin, std::int64_t view_length, std::int64_t side,
                 bool mirrored) {
  const double step = length / static_cast<double>(side), support = std::max(step, 1.0), slope = 1 / support;
  const auto low = std::max(view_begin, static_cast<std::int64_t>(std::floor(begin)));
  const auto high = std::min(view_begin + view_length, static_cast<std::int64_t>(std::ceil(begin + length)));
  const bool copies = step == 1 && begin == static_cast<double>(low);  // every output pixel is a source pixel
  count = copies ? 1 : static_cast<int>(std::min(high - low, static_cast<std::int64_t>(std::ceil(2 * support))));
  first.resize(static_cast<std::size_t>(side));
  weights.resize(static_cast<std::size_t>(side * count));
  for (std::int64_t i = 0; i < side; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * step;
    const auto wanted = static_cast<std::int64_t>(std::floor(centre - support + 0.5));
    const std::int64_t from = std::clamp(wanted, low, high - count);
    const std::int64_t out = mirrored ? side - 1 - i : i;
    float* weight = &weights[static_cast<std::size_t>(out * count)];
    double total = 0;
    for (int t = 0; t < count; ++t) {
      const double distance = std::abs(static_cast<double>(from + t) + 0.5 - centre) * slope;
      weight[t] = static_cast<float>(std::max(0.0, 1.0 - distance));
      total += static_cast<double>(weight[t]);
    }
    const double share = 1 / total;
    for (int t = 0; t < count; ++t) weight[t] = static_cast<float>(weight[t] * share);
    first[static_cast<std::size_t>(out)] = static_cast<std::int32_t>(from - view_begin);
  }
}

void resample(const PixelView& view, const Augmentation& a, std::int64_t channels, std::int64_t side, const Lanes& mean,
              const Lanes& factor, Resampler& scratch, float* out) {
  scratch.rows.place(a.crop.top, a.crop.height, view.box.top, view.box.height, side, a.vertical_flip);
  scratch.columns.place(a.crop.left, a.crop.width, view.box.left, view.box.width, side, a.flip);
  // The columns that the crop needs, and no others, go through the vertical pass.
  const auto [low, high] = std::ranges::minmax(scratch.columns.first);
  for (std::int32_t& column : scratch.columns.first) column -= low;
  const std::int64_t stride = view.box.width * channels, size = (high - low + scratch.columns.count) * channels;
  scratch.line.resize(static_cast<std::size_t>(size + 1));
  scratch.line.back() = 0;  // the fourth lane of the last pixel
  const float* weights = scratch.rows.weights.data();
  for (std::int64_t y = 0; y < side; ++y, weights += scratch.rows.count, out += side * channels) {
    const std::uint8_t* first = view.pixels + scratch.rows.first[static_cast<std::size_t>(y)] * stride + low * channels;
    sum_rows(first, stride, weights, scratch.rows.count, size, scratch.line.data());
    if (channels == 3)
      filter_line_rgb(scratch.line.data(), scratch.columns, side, mean, factor, out);
    else
      filter_line_grey(scratch.line.data(), scratch.columns, side, mean[0], factor[0], out);
  }
}

}  // namespace lockstep::pixels
