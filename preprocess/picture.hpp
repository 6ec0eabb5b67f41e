// A decoded image on its way into a shard, and the reason why another one did not get that far.
#pragma once
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace lockstep::preprocess {

/// What an image was made of. Filled by its source.
struct SourceBytes {
  std::int64_t count = 0;    ///< of its file, or of its pixels in a file of many
  std::uint64_t digest = 0;  ///< XXH64 of these bytes
};

struct Picture {
  cv::Mat pixels;             ///< 8 bits a channel: CV_8UC1 (grey) or CV_8UC3 (RGB, not OpenCV's BGR)
  int width = 0, height = 0;  ///< of the source image, upright; `pixels` may be a reduced version of it
  SourceBytes source{};
  /// The source file, where it was asked for and is a JPEG that can be stored as it is: baseline in a single scan,
  /// 8 bits, YCbCr or grey with the channels asked for, upright, decoded without a warning. Else empty.
  std::vector<std::uint8_t> jpeg = {};
};

/// Why an image cannot be used: damaged, unsupported, too large. Part of the result, not of the program's failure: the
/// packing records it and goes on. The text is for a person and ends in images.h5.
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lockstep::preprocess
