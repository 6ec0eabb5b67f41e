// The operations of RandAugment, on images of bytes: those of torchvision's tensors (nearest pixel, black outside).
//
// Images are uint8 [side][side][channels], 1 or 3 channels. Internal to src/data; a Scratch for each thread. Where
// torchvision cuts a value down to a level, so do these; tests: equal to it but for its rounding of float32, 1 level.
#pragma once
#include <cstdint>
#include <vector>

#include "lockstep/data/augmentation.hpp"

namespace lockstep::pixels {

/// Changes `image` by one operation; `spare` is memory of the same use.
void apply_op(const ImageOpDraw& draw, std::int64_t channels, std::int64_t side, std::vector<std::uint8_t>& image,
              std::vector<std::uint8_t>& spare);

}  // namespace lockstep::pixels
