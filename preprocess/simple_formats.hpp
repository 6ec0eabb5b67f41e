// BMP, PNM and WebP through OpenCV: see decode.hpp for what is accepted and how it is converted.
//
// OpenCV allocates what a header asks for and says little about what is wrong, so size and length are checked here
// first.
#pragma once
#include "preprocess/decode.hpp"

namespace lockstep::preprocess {

/// Each throws Refusal.
Picture decode_bmp(std::span<const std::uint8_t> file, const DecodeRequest& request);
Picture decode_pnm(std::span<const std::uint8_t> file, const DecodeRequest& request);
Picture decode_webp(std::span<const std::uint8_t> file, const DecodeRequest& request);

}  // namespace lockstep::preprocess
