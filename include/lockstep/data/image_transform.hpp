// From pixels to a slot of the batch: crop and resize, flip, warp, colour, normalise.
//
// Input: uint8 [height, width, channels], or the part of it that the crop touches. Output, a channels-last image of the
// batch [side, side, channels]: float32 normalised, or uint8 rounded to the nearest level, whose normalisation is left
// to the reader. Resizing: separable triangle filter whose support grows when shrinking, pixel centres at ½ — that of
// Pillow's BILINEAR and of torchvision's antialias=True, without their rounding to bytes in between (tests: within 1
// grey level). Warps (rotation, scaling, translation) are bilinear with the edge pixels continued. Colour jitter as
// torchvision's brightness, contrast and saturation, in this fixed order. RandAugment works on rounded levels, random
// erasing on the slot. Draws never happen here. Each instruction set
// gives the same bits. An ImageTransform is immutable and shared by threads; each thread brings its own Scratch (about
// 2 float images).
#pragma once
#include <cstdint>
#include <memory>
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

/// A rectangle of whole pixels.
struct PixelBox {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
  bool operator==(const PixelBox&) const = default;
};

/// The pixels that a resize of `crop` reads: none outside it, so that it is like a resize of the cut-out image.
PixelBox pixels_of(const CropBox& crop, const ImageShape& image);

/// A part of an image that is in memory: `box` of the image, rows of interleaved channels without gaps.
struct PixelView {
  const std::uint8_t* pixels = nullptr;
  PixelBox box;
};

class ImageTransform {
 public:
  /// Memory that a thread brings along; reused from image to image.
  class Scratch {
   public:
    Scratch();
    ~Scratch();

   private:
    friend class ImageTransform;
    struct Memory;
    std::unique_ptr<Memory> memory_;
  };

  ImageTransform(ImageShape source, std::int64_t side, ChannelScale scale);

  const ImageShape& source() const { return source_; }
  std::int64_t side() const { return side_; }
  const ChannelScale& scale() const { return scale_; }
  /// Elements of a slot: side·side·channels.
  std::size_t slot_size() const { return static_cast<std::size_t>(side_ * side_ * source_.channels); }

  /// `view` holds at least the pixels of the augmentation's crop, both in the same coordinates: the source's, or those
  /// of a reduced source. `slot`: slot_size() elements.
  void apply(const PixelView& view, const Augmentation& augmentation, std::span<float> slot, Scratch& scratch) const;
  void apply(const PixelView& view, const Augmentation& augmentation, std::span<std::uint8_t> slot,
             Scratch& scratch) const;
  /// The whole source: shape.bytes() bytes.
  void apply(std::span<const std::uint8_t> source, const Augmentation& augmentation, std::span<float> slot,
             Scratch& scratch) const;

 private:
  ImageShape source_;
  std::int64_t side_;
  ChannelScale scale_;
};

}  // namespace lockstep
