// What augmentation does to one sample in one epoch: numbers drawn as a function of (seed, epoch, sample id).
//
// Separate from applying it (image_transform.hpp), so that the draws can be tested alone, and so that any rank, thread
// or resume comes to the same picture. The crop is that of torchvision's RandomResizedCrop (ten tries, then the central
// crop of the nearest allowed ratio); RandAugment and random erasing are torchvision's too (their ranges: below). Pure
// functions; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

/// Part of the source image, in source pixels (may be fractional only for evaluation resizes).
struct CropBox {
  double top = 0, left = 0, height = 0, width = 0;
  bool operator==(const CropBox&) const = default;
};

/// An operation of RandAugment, on levels 0 … 255 rounded before and after, pixels that come from outside black. With
/// m = magnitude / 30, and either sign where it says ±:
enum class ImageOp {
  identity,
  shear_x,        ///< ± 0.3 m pixels a row, about the upper left corner
  shear_y,        ///< ± 0.3 m pixels a column
  translate_x,    ///< ± 150/331 m of the side
  translate_y,    ///< likewise
  rotate,         ///< ± 30 m degrees, counter-clockwise
  brightness,     ///< by 1 ± 0.9 m
  saturation,     ///< by 1 ± 0.9 m
  contrast,       ///< by 1 ± 0.9 m
  sharpness,      ///< by 1 ± 0.9 m
  posterize,      ///< keeps 8 − 4 m bits, rounded
  solarize,       ///< inverts levels from 255 (1 − m) on
  auto_contrast,  ///< stretches each channel to 0 … 255
  equalize,       ///< each channel's histogram made flat
};
constexpr int image_ops = 14;
constexpr int strongest_magnitude = 30;

struct ImageOpDraw {
  ImageOp op = ImageOp::identity;
  double amount = 0;  ///< as listed above, signed: pixels a row, share of the side, degrees, factor, bits or level
  bool operator==(const ImageOpDraw&) const = default;
};

/// A rectangle to be erased: 2 to 33 % of the area, of an aspect ratio (height / width) in 0.3 … 3.3.
struct ErasedBox {
  double height = 0, width = 0;  ///< shares of the output's side
  double top = 0, left = 0;      ///< where in what is left: 0 … 1
  bool operator==(const ErasedBox&) const = default;
};

struct Augmentation {
  CropBox crop;
  bool flip = false, vertical_flip = false;
  double rotation = 0;                                  ///< radians, counter-clockwise
  double scale = 1;                                     ///< > 1 enlarges
  double shift_x = 0, shift_y = 0;                      ///< shares of the output's side; positive: right, down
  double brightness = 1, contrast = 1, saturation = 1;  ///< factors, applied in this order
  std::vector<ImageOpDraw> ops;                         ///< RandAugment, in this order, after all of the above
  std::optional<ErasedBox> erased;                      ///< last: zero after normalisation, the mean colour

  bool warps() const { return rotation != 0 || scale != 1 || shift_x != 0 || shift_y != 0; }
  bool colours() const { return brightness != 1 || contrast != 1 || saturation != 1; }
};

/// The draw for one sample; with `config.on` false: the whole image, unchanged. `copy`: how often the sample occurred
/// in the epoch before.
Augmentation draw_augmentation(const AugmentationConfig& config, std::uint64_t seed, std::int64_t epoch,
                               std::int64_t id, std::int64_t height, std::int64_t width, std::int32_t copy = 0);

/// An operation of RandAugment at `magnitude`, 0 … strongest_magnitude; `sign`: 1 or −1, where it takes one.
ImageOpDraw image_op(ImageOp op, int magnitude, int sign);

/// Evaluation: the image is resized to `resize` pixels (height and width in proportion, the shorter side counts) and
/// the central `side`×`side` is cut: as a box of the source (pixels outside the box count for nothing, so where the
/// resize shrinks, the outermost row and column see a little less than a cut after the resize would). `resize` >=
/// `side`.
CropBox centre_crop(std::int64_t height, std::int64_t width, std::int64_t resize, std::int64_t side);

}  // namespace lockstep
