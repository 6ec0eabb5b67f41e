#include "preprocess/resize.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace lockstep::preprocess {
namespace {

/// To `size` where no axis grows, or none shrinks.
cv::Mat resized(const cv::Mat& picture, cv::Size size) {
  if (picture.size() == size) return picture.isContinuous() ? picture : picture.clone();
  const bool shrinks = size.width < picture.cols || size.height < picture.rows;
  cv::Mat result;
  cv::resize(picture, result, size, 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  return result;
}

/// To any size. Shrinking comes first: INTER_AREA takes single pixels instead of means as soon as one axis grows.
cv::Mat stretched(const cv::Mat& picture, cv::Size size) {
  const cv::Size smaller(std::min(size.width, picture.cols), std::min(size.height, picture.rows));
  return resized(resized(picture, smaller), size);
}

int rounded(double pixels) { return std::max(1, static_cast<int>(std::lround(pixels))); }

/// The largest centred part with the aspect ratio of `size`. Cutting comes before resizing: a strip of 1 × 5000 pixels
/// would else become one of 224 × 1,120,000 first.
cv::Rect centre_part(cv::Size picture, cv::Size size) {
  const double scale =
      std::min(static_cast<double>(picture.width) / size.width, static_cast<double>(picture.height) / size.height);
  const int width = std::min(picture.width, rounded(size.width * scale));
  const int height = std::min(picture.height, rounded(size.height * scale));
  return {(picture.width - width) / 2, (picture.height - height) / 2, width, height};
}

cv::Mat padded(const cv::Mat& picture, cv::Size size) {
  const double scale =
      std::min(static_cast<double>(size.width) / picture.cols, static_cast<double>(size.height) / picture.rows);
  const cv::Size inner(std::min(size.width, rounded(picture.cols * scale)),
                       std::min(size.height, rounded(picture.rows * scale)));
  cv::Mat result = cv::Mat::zeros(size, picture.type());
  const cv::Rect place((size.width - inner.width) / 2, (size.height - inner.height) / 2, inner.width, inner.height);
  stretched(picture, inner).copyTo(result(place));
  return result;
}

}  // namespace

cv::Mat fit_picture(const cv::Mat& picture, cv::Size size, Fit fit) {
  switch (fit) {
    case Fit::crop:
      return stretched(picture(centre_part(picture.size(), size)), size);
    case Fit::pad:
      return padded(picture, size);
    case Fit::stretch:
      break;
  }
  return stretched(picture, size);
}

}  // namespace lockstep::preprocess
