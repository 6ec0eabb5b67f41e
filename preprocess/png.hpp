// PNG through libpng: see decode.hpp for what is accepted and how it is converted.
#pragma once
#include "preprocess/decode.hpp"

namespace lockstep::preprocess {

/// Throws Refusal with libpng's message.
Picture decode_png(std::span<const std::uint8_t> file, const DecodeRequest& request);

}  // namespace lockstep::preprocess
