#include "model/initial_weights.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/draws.hpp"

namespace lockstep {
namespace {

/// Element i of the tensor is word i % 4 of block i / 4, as `of(block)` makes four floats of it.
template <typename F>
at::Tensor filled(at::IntArrayRef shape, std::uint64_t seed, const std::string& name, const F& of) {
  const at::Tensor values = at::empty(shape, at::kFloat);
  const Draws draws(seed, Purpose::initial_weights, Digest().add(std::string_view(name)).value());
  float* data = values.data_ptr<float>();
  const std::int64_t count = values.numel();
  at::parallel_for(0, (count + 3) / 4, 4096, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      const std::array<float, 4> four = of(draws.at(static_cast<std::uint64_t>(block)));
      std::copy_n(four.begin(), std::min<std::int64_t>(4, count - 4 * block), data + 4 * block);
    }
  });
  return values;
}

}  // namespace

at::Tensor uniform_weights(at::IntArrayRef shape, double bound, std::uint64_t seed, const std::string& name) {
  return filled(shape, seed, name, [bound](const PhiloxBlock& block) {
    std::array<float, 4> values;
    for (std::size_t j = 0; j < 4; ++j) values[j] = static_cast<float>((block[j] * 0x1.0p-31 - 1.0) * bound);
    return values;
  });
}

at::Tensor normal_weights(at::IntArrayRef shape, double deviation, std::uint64_t seed, const std::string& name) {
  return filled(shape, seed, name, [deviation](const PhiloxBlock& block) {
    std::array<float, 4> values;
    for (std::size_t j = 0; j < 4; j += 2) {
      // (word + 1) / 2³² is in (0, 1]: its logarithm is finite
      const double radius = deviation * std::sqrt(-2 * std::log((block[j] + 1.0) * 0x1.0p-32));
      const double angle = 2 * std::numbers::pi * block[j + 1] * 0x1.0p-32;
      values[j] = static_cast<float>(radius * std::cos(angle));
      values[j + 1] = static_cast<float>(radius * std::sin(angle));
    }
    return values;
  });
}

}  // namespace lockstep
