// Initial weights as functions of (seed, name, element): equal on every rank without exchange.
//
// float32 on the CPU, row-major, of the given shape; `name` is the parameter's name in weight files. Thread-safe.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace lockstep {

/// Uniform in ±bound.
at::Tensor uniform_weights(at::IntArrayRef shape, double bound, std::uint64_t seed, const std::string& name);

/// Normal of mean 0 (Box and Muller, 1958).
at::Tensor normal_weights(at::IntArrayRef shape, double deviation, std::uint64_t seed, const std::string& name);

}  // namespace lockstep
