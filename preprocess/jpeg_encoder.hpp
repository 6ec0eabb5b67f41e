// Pixels to a JPEG file, for data sets with --store jpeg.
//
// libjpeg-turbo, baseline, 8 bits, accurate integer DCT, no metadata but the JFIF header, the standard's Huffman
// tables: tables made for each image save 3 % of the bytes and cost 0.6 ms instead of 0.2 ms for 256 × 256 pixels
// (2026-11-21). RGB is stored as YCbCr, its colours halved in both directions (4:2:0) below quality 95 and whole
// (4:4:4) from there on; grey has one component. Equal pixels and quality give equal bytes with the same libjpeg-turbo.
// A pure function; thread-safe. Source: ITU-T T.81; quality as the library scales it (Annex K's tables at 50).
#pragma once
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <vector>

namespace lockstep::preprocess {

/// `pixels`: CV_8UC1 (grey) or CV_8UC3 (RGB), at most 65,500 a side. `quality`: 1 … 100.
std::vector<std::uint8_t> encode_jpeg(const cv::Mat& pixels, int quality);

}  // namespace lockstep::preprocess
