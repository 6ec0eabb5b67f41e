#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "lockstep/core/error.hpp"
#include "model/dropout_draws.hpp"
#include "model/tensor_layers.hpp"

namespace lockstep::tensors {
namespace {

constexpr std::int64_t low_bits = 0xFFFFFFFF;

/// Words of 32 bits, kept in int64: sums and products of two of them wrap modulo 2⁶⁴ as Philox wants it.
struct Words {
  at::Tensor high, low;
};

/// Both halves of the 64-bit product of `factor` and each word.
Words product(std::int64_t factor, const at::Tensor& words) {
  const at::Tensor whole = words * factor;
  return {at::bitwise_and(at::bitwise_right_shift(whole, 32), low_bits), at::bitwise_and(whole, low_bits)};
}

/// draws.hpp's philox for many counters and keys at once: [n, blocks] each, or what broadcasts to it.
std::array<at::Tensor, 4> philox_words(std::array<at::Tensor, 4> counter, at::Tensor key0, at::Tensor key1) {
  for (int round = 0; round < 10; ++round) {
    const Words p0 = product(0xD2511F53, counter[0]), p1 = product(0xCD9E8D57, counter[2]);
    counter = {p1.high.bitwise_xor(counter[1]).bitwise_xor_(key0), p1.low,
               p0.high.bitwise_xor(counter[3]).bitwise_xor_(key1), p0.low};
    key0 = at::bitwise_and(key0 + std::int64_t{0x9E3779B9}, low_bits);
    key1 = at::bitwise_and(key1 + std::int64_t{0xBB67AE85}, low_bits);
  }
  return counter;
}

/// int64 [4, n, 1] on `device`: key and stream of each sample's draws, computed here, since they are few.
at::Tensor coordinates(const BatchContext& context, std::uint32_t layer, c10::Device device) {
  const auto samples = static_cast<std::int64_t>(context.ids.size());
  at::Tensor words = at::empty({4, samples, 1}, at::kLong);
  auto* out = words.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < samples; ++i) {
    const Draws draws = dropout_draws(context.seed, static_cast<std::uint64_t>(context.step),
                                      static_cast<std::uint64_t>(context.ids[static_cast<std::size_t>(i)]), layer);
    const std::array<std::uint32_t, 4> of_sample = draws.coordinates();
    for (std::int64_t w = 0; w < 4; ++w) out[w * samples + i] = of_sample[static_cast<std::size_t>(w)];
  }
  // Pinned: a copy from other memory would make the host wait for everything the GPU was given before.
  return device.is_cuda() ? words.pin_memory().to(device, /*non_blocking=*/true) : words.to(device);
}

}  // namespace

at::Tensor dropout_mask(const BatchContext& context, std::uint32_t layer, double drop, std::int64_t elements,
                        c10::Device device) {
  const at::Tensor of = coordinates(context, layer, device);
  const std::int64_t blocks = (elements + 3) / 4;  // of four words; their number stays below 2³²
  const at::Tensor index = at::arange(blocks, of.options()).view({1, blocks});
  const auto words = philox_words({index, at::zeros_like(index), of[2], of[3]}, of[0], of[1]);
  const std::int64_t threshold = dropout_threshold(drop);
  std::vector<at::Tensor> keep;
  for (const at::Tensor& word : words) keep.push_back(word >= threshold);
  return at::stack(keep, 2).view({of.size(1), 4 * blocks}).narrow(1, 0, elements);
}

at::Tensor dropout(const at::Tensor& x, double p, std::uint32_t layer, const BatchContext& context) {
  if (x.scalar_type() != at::kFloat || (x.dim() != 4 && x.dim() != 2)) {
    throw Error("a tensor that is not float32 [n, c, h, w] or [n, c]", "dropout", "convert the input");
  }
  const std::int64_t samples = x.size(0);
  at::Tensor keep = dropout_mask(context, layer, p, samples == 0 ? 0 : x.numel() / samples, x.device());
  // (row, column, channel) is how a channels-last image lies in memory
  keep = x.dim() == 4 ? keep.reshape({samples, x.size(2), x.size(3), x.size(1)}).permute({0, 3, 1, 2}) : keep;
  return at::where(keep, x * static_cast<double>(static_cast<float>(1.0 / (1.0 - p))), 0.0);
}

}  // namespace lockstep::tensors
