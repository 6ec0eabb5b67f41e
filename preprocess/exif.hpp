// The orientation a camera left in an image's EXIF block, and turning the pixels upright by it.
//
// EXIF is written by many hands: whatever is damaged or out of range counts as "upright", never as an error.
// Sources: the Exif 2.32 standard (CIPA DC-008), the TIFF 6.0 specification. Thread-safe: pure functions.
#pragma once
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <span>

namespace lockstep::preprocess {

/// The EXIF block (a TIFF structure) of a JPEG file; empty if it has none.
std::span<const std::uint8_t> exif_of_jpeg(std::span<const std::uint8_t> jpeg);

/// 1 to 8 as the standard counts them; 1 is upright.
int exif_orientation(std::span<const std::uint8_t> tiff);

/// Turns and mirrors `pixels` so that they are upright. Orientations 5 to 8 swap width and height.
void make_upright(cv::Mat& pixels, int orientation);

}  // namespace lockstep::preprocess
