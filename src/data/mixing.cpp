#include "lockstep/data/mixing.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/draws.hpp"

namespace lockstep {
namespace {

double normal(Draws& draws) {
  const double radius = std::sqrt(-2 * std::log1p(-draws.uniform()));  // of 1 − u, which is never 0
  return radius * std::cos(2 * std::numbers::pi * draws.uniform());
}

/// Gamma(shape, 1) by Marsaglia and Tsang (2000); shapes below 1 by their boost.
double gamma(Draws& draws, double shape) {
  if (shape < 1) {
    const double power = std::pow(1 - draws.uniform(), 1 / shape);
    return gamma(draws, shape + 1) * power;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal(draws), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log1p(-draws.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

/// Beta(alpha, alpha). Tiny parameters may underflow both gammas: then it is one end or the other, as it nearly is.
double beta(Draws& draws, double alpha) {
  const double x = gamma(draws, alpha), y = gamma(draws, alpha);
  return x + y > 0 ? x / (x + y) : std::round(draws.uniform());
}

/// A box of about `share` of the area around a uniform centre, cut at the border; the own share is what it leaves.
Mix cut(Draws& draws, double share, std::int64_t side) {
  const double edge = std::sqrt(share) * static_cast<double>(side);
  const double y = draws.uniform() * static_cast<double>(side), x = draws.uniform() * static_cast<double>(side);
  const auto inside = [&](double at) { return std::clamp<std::int64_t>(std::llround(at), 0, side); };
  Mix mix{1, inside(y - edge / 2), inside(x - edge / 2), inside(y + edge / 2), inside(x + edge / 2)};
  if (!mix.cuts()) return {};
  const std::int64_t area = (mix.bottom - mix.top) * (mix.right - mix.left);
  mix.own = 1 - static_cast<float>(area) / static_cast<float>(side * side);
  return mix;
}

template <typename Value>
Value blend(float own_share, Value own, Value other) {
  const float value = own_share * static_cast<float>(own) + (1 - own_share) * static_cast<float>(other);
  if constexpr (std::is_same_v<Value, std::uint8_t>)
    return static_cast<Value>(value + 0.5f);
  else
    return value;
}

/// The box of one row, as values of the row: begin, end; empty where the row lies outside.
std::pair<std::int64_t, std::int64_t> cut_of_row(const Mix& mix, std::int64_t y, std::int64_t channels) {
  if (!mix.cuts() || y < mix.top || y >= mix.bottom) return {0, 0};
  return {mix.left * channels, mix.right * channels};
}

}  // namespace

Mix draw_mix(const MixConfig& config, std::uint64_t seed, std::int64_t epoch, std::int64_t id, std::int32_t copy,
             std::int64_t side) {
  Draws draws(seed, Purpose::mixing, draw_coordinate(epoch, copy), static_cast<std::uint64_t>(id));
  if (draws.uniform() >= config.probability) return {};
  const bool cuts = config.cutmix > 0 && (config.mixup == 0 || draws.uniform() < 0.5);
  const double own = beta(draws, cuts ? config.cutmix : config.mixup);
  if (cuts) return cut(draws, 1 - own, side);
  return {static_cast<float>(own), 0, 0, 0, 0};
}

template <typename Value>
void mix_both(std::span<Value> a, const Mix& of_a, std::span<Value> b, const Mix& of_b, std::int64_t side) {
  const std::int64_t line = std::ssize(a) / side, channels = line / side;
  for (std::int64_t y = 0; y < side; ++y) {
    Value *row_a = a.data() + y * line, *row_b = b.data() + y * line;
    const auto [begin_a, end_a] = cut_of_row(of_a, y, channels);
    const auto [begin_b, end_b] = cut_of_row(of_b, y, channels);
    for (std::int64_t i = 0; i < line; ++i) {
      const Value old_a = row_a[i], old_b = row_b[i];
      const bool cut_a = i >= begin_a && i < end_a, cut_b = i >= begin_b && i < end_b;
      row_a[i] = of_a.cuts() ? (cut_a ? old_b : old_a) : blend(of_a.own, old_a, old_b);
      row_b[i] = of_b.cuts() ? (cut_b ? old_a : old_b) : blend(of_b.own, old_b, old_a);
    }
  }
}

template <typename Value>
void mix_one(std::span<Value> own, const Mix& mix, std::span<const Value> other, std::int64_t side) {
  const std::int64_t line = std::ssize(own) / side, channels = line / side;
  for (std::int64_t y = 0; y < side; ++y) {
    Value* row = own.data() + y * line;
    const Value* from = other.data() + y * line;
    const auto [begin, end] = cut_of_row(mix, y, channels);
    if (mix.cuts()) {
      std::copy(from + begin, from + end, row + begin);
    } else {
      for (std::int64_t i = 0; i < line; ++i) row[i] = blend(mix.own, row[i], from[i]);
    }
  }
}

template void mix_both(std::span<float>, const Mix&, std::span<float>, const Mix&, std::int64_t);
template void mix_both(std::span<std::uint8_t>, const Mix&, std::span<std::uint8_t>, const Mix&, std::int64_t);
template void mix_one(std::span<float>, const Mix&, std::span<const float>, std::int64_t);
template void mix_one(std::span<std::uint8_t>, const Mix&, std::span<const std::uint8_t>, std::int64_t);

}  // namespace lockstep
