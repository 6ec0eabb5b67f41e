#include "preprocess/resize.hpp"

#include <gtest/gtest.h>

#include <opencv2/core.hpp>

namespace lockstep::preprocess {
namespace {

/// Columns of 10 × their number: what was cut and where shows in the values.
cv::Mat columns(int width, int height) {
  cv::Mat picture(height, width, CV_8UC1);
  for (int x = 0; x < width; ++x) picture.col(x).setTo(x * 10);
  return picture;
}

TEST(Resize, CropCutsTheLongerSideEvenly) {
  const cv::Mat result = fit_picture(columns(8, 4), {4, 4}, Fit::crop);
  ASSERT_EQ(result.size(), cv::Size(4, 4));
  for (int x = 0; x < 4; ++x) EXPECT_EQ(result.at<std::uint8_t>(1, x), (x + 2) * 10);
  EXPECT_TRUE(result.isContinuous());
}

TEST(Resize, ShrinkingAverages) {
  const cv::Mat result = fit_picture(columns(8, 8), {4, 4}, Fit::crop);
  for (int x = 0; x < 4; ++x) EXPECT_EQ(result.at<std::uint8_t>(2, x), x * 20 + 5);
}

TEST(Resize, StretchKeepsEverything) {
  const cv::Mat result = fit_picture(columns(8, 2), {4, 4}, Fit::stretch);
  ASSERT_EQ(result.size(), cv::Size(4, 4));
  EXPECT_EQ(result.at<std::uint8_t>(0, 0), 5);
  EXPECT_EQ(result.at<std::uint8_t>(3, 3), 65);
}

TEST(Resize, PadAddsBlackEvenly) {
  const cv::Mat result = fit_picture(cv::Mat(4, 8, CV_8UC3, cv::Scalar(9, 8, 7)), {8, 8}, Fit::pad);
  EXPECT_EQ(result.at<cv::Vec3b>(1, 4), cv::Vec3b(0, 0, 0));
  EXPECT_EQ(result.at<cv::Vec3b>(2, 0), cv::Vec3b(9, 8, 7));
  EXPECT_EQ(result.at<cv::Vec3b>(5, 7), cv::Vec3b(9, 8, 7));
  EXPECT_EQ(result.at<cv::Vec3b>(6, 4), cv::Vec3b(0, 0, 0));
}

TEST(Resize, ExtremeSidesStaySmall) {
  for (const cv::Size size : {cv::Size(1, 5000), cv::Size(4000, 1), cv::Size(1, 1), cv::Size(3, 2)}) {
    for (const Fit fit : {Fit::crop, Fit::stretch, Fit::pad}) {
      const cv::Mat result = fit_picture(cv::Mat(size, CV_8UC3, cv::Scalar(50, 60, 70)), {224, 224}, fit);
      EXPECT_EQ(result.size(), cv::Size(224, 224));
      EXPECT_EQ(result.at<cv::Vec3b>(111, 111), cv::Vec3b(50, 60, 70));
    }
  }
}

TEST(Resize, OfTheRightSizeIsUnchanged) {
  const cv::Mat picture = columns(7, 5);
  EXPECT_EQ(cv::norm(fit_picture(picture, {7, 5}, Fit::crop), picture), 0);
}

}  // namespace
}  // namespace lockstep::preprocess
