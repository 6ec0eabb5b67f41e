// Reads every byte of weights that a reader has given, so that a tensor beyond its memory is seen. Pure function.
#pragma once
#include <cstdlib>

#include "lockstep/weights/weight_file.hpp"

namespace lockstep::fuzz {

inline void touch(const WeightFile& weights) {
  std::uint64_t sum = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    const at::Tensor plain = tensor.contiguous();
    const auto* bytes = static_cast<const std::uint8_t*>(plain.const_data_ptr());
    for (std::size_t i = 0; i < plain.nbytes(); ++i) sum += bytes[i];
  }
  if (sum == ~std::uint64_t{0}) std::abort();  // never, but it needs the sum
}

}  // namespace lockstep::fuzz
