// A picture with lines of text below it, so that it says itself what it shows wherever it is looked at.
//
// Small pictures are enlarged by a whole factor, each pixel to a square, until they are 112 pixels wide or more; the
// result is RGB. Letters are 5 × 5 pixels, a pixel apart (twice that on pictures of 256 pixels and more): A to Z in
// capitals, digits and a few signs; others are shown as a box. What is too long for the width ends in dots. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/core/png.hpp"

namespace lockstep {

using Colour = std::array<std::uint8_t, 3>;

/// `lines`: UTF-8.
Picture with_caption(const Picture& picture, const std::vector<std::string>& lines, const Colour& colour);

}  // namespace lockstep
