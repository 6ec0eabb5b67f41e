// From stored bytes to a slot of the batch: crop and resize, flip, warp, colour, normalise.
//
// Input: uint8 [height, width, channels]. Output: float32 [side, side, channels] (a channels-last image of the batch).
// Resizing: separable triangle filter whose support grows when shrinking, pixel centres at ½ — that of Pillow's
// BILINEAR and of torchvision's antialias=True, without their rounding to bytes in between (tests: within 1 grey
// level). Warps (rotation, scaling, translation) are bilinear with the edge pixels continued. Colour jitter as
// torchvision's brightness, contrast and saturation, in this fixed order. Draws never happen here. An ImageTransform is
// immutable and shared by threads; each thread brings its own Scratch (about 3 float images).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/data/augmentation.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// Per-channel (x − mean) / std on the scale 0 … 255.
struct ChannelScale {
  std::vector<float> mean, std;  ///< [channel]
};

/// The scale of a normalisation; `imagenet` for one channel is the luminance mix of the three.
ChannelScale channel_scale(Normalisation normalisation, const Manifest& manifest);

class ImageTransform {
 public:
  struct Scratch {
    std::vector<float> rows, image, warped;
  };

  ImageTransform(ImageShape source, std::int64_t side, ChannelScale scale);

  std::int64_t side() const { return side_; }
  /// `source`: shape.bytes() bytes; `slot`: side·side·channels floats.
  void apply(std::span<const std::uint8_t> source, const Augmentation& augmentation, std::span<float> slot,
             Scratch& scratch) const;

 private:
  void resample(std::span<const std::uint8_t> source, const Augmentation& augmentation, Scratch& scratch) const;
  void warp(const Augmentation& augmentation, Scratch& scratch) const;
  void colour(const Augmentation& augmentation, std::span<float> image) const;

  ImageShape source_;
  std::int64_t side_;
  ChannelScale scale_;
};

}  // namespace lockstep
