// A picture of any size to the data set's size.
//
// Sampling: area averaging where the picture shrinks, bilinear where it grows. Pure functions, thread-safe.
#pragma once
#include <opencv2/core/mat.hpp>

namespace lockstep::preprocess {

enum class Fit {
  crop,     ///< keep the aspect ratio: the shorter side fits, the longer one is cut evenly at both ends
  stretch,  ///< ignore the aspect ratio
  pad,      ///< keep the aspect ratio: the longer side fits, the rest is black, evenly at both ends
};

/// `picture`: 8-bit, 1 or 3 channels, not empty. Returns a picture of `size` with the same channels, in one block.
cv::Mat fit_picture(const cv::Mat& picture, cv::Size size, Fit fit);

}  // namespace lockstep::preprocess
