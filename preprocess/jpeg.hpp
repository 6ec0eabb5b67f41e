// JPEG through libjpeg-turbo, strictly: see decode.hpp for what is accepted and how it is converted.
#pragma once
#include "preprocess/decode.hpp"

namespace lockstep::preprocess {

/// Throws Refusal. Reduces by 2, 4 or 8 while decoding where request.least_side allows (several times faster for
/// photographs much larger than needed).
Picture decode_jpeg(std::span<const std::uint8_t> file, const DecodeRequest& request);

}  // namespace lockstep::preprocess
