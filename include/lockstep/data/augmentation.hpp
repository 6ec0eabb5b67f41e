// What augmentation does to one sample in one epoch: numbers drawn as a function of (seed, epoch, sample id).
//
// Separate from applying it (image_transform.hpp), so that the draws can be tested alone, and so that any rank, thread
// or resume comes to the same picture. The crop is that of torchvision's RandomResizedCrop (ten tries, then the central
// crop of the nearest allowed ratio). Pure functions; thread-safe.
#pragma once
#include <cstdint>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

/// Part of the source image, in source pixels (may be fractional only for evaluation resizes).
struct CropBox {
  double top = 0, left = 0, height = 0, width = 0;
  bool operator==(const CropBox&) const = default;
};

struct Augmentation {
  CropBox crop;
  bool flip = false, vertical_flip = false;
  double rotation = 0;                                  ///< radians, counter-clockwise
  double scale = 1;                                     ///< > 1 enlarges
  double shift_x = 0, shift_y = 0;                      ///< shares of the output's side; positive: right, down
  double brightness = 1, contrast = 1, saturation = 1;  ///< factors, applied in this order

  bool warps() const { return rotation != 0 || scale != 1 || shift_x != 0 || shift_y != 0; }
  bool colours() const { return brightness != 1 || contrast != 1 || saturation != 1; }
};

/// The draw for one sample; with `config.on` false: the whole image, unchanged.
Augmentation draw_augmentation(const AugmentationConfig& config, std::uint64_t seed, std::int64_t epoch,
                               std::int64_t id, std::int64_t height, std::int64_t width);

/// Evaluation: the image is resized to `resize` pixels (height and width in proportion, the shorter side counts) and
/// the central `side`×`side` is cut: as a box of the source (pixels outside the box count for nothing, so where the
/// resize shrinks, the outermost row and column see a little less than a cut after the resize would). `resize` >=
/// `side`.
CropBox centre_crop(std::int64_t height, std::int64_t width, std::int64_t resize, std::int64_t side);

}  // namespace lockstep
