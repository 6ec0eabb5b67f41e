// How dropout's masks follow from their coordinates, for every device: the draws of a sample, and what counts as drop.
#pragma once
#include <algorithm>
#include <cstdint>

#include "lockstep/core/draws.hpp"

namespace lockstep {

/// Word i of these draws decides on element i. The layer joins the step: 2⁴⁰ steps and 2²⁴ layers are apart.
inline Draws dropout_draws(std::uint64_t seed, std::uint64_t step, std::uint64_t sample, std::uint32_t layer) {
  return {seed, Purpose::dropout, step | (std::uint64_t{layer} << 40), sample};
}

/// Words from here on keep their element.
inline std::uint32_t dropout_threshold(double drop) {
  return static_cast<std::uint32_t>(std::min(drop * 0x1.0p32, 0x1.fffffffep31));
}

}  // namespace lockstep
