#include "lockstep/data/augmentation.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/draws.hpp"

namespace lockstep {
namespace {

CropBox whole(std::int64_t height, std::int64_t width) {
  return {0, 0, static_cast<double>(height), static_cast<double>(width)};
}

/// What is left when ten tries found no crop that fits: the largest central part of an allowed aspect ratio.
CropBox central_of_ratio(const AugmentationConfig& config, std::int64_t height, std::int64_t width) {
  CropBox box = whole(height, width);
  const double ratio = box.width / box.height;
  if (ratio < config.crop_ratio[0]) box.height = std::round(box.width / config.crop_ratio[0]);
  if (ratio > config.crop_ratio[1]) box.width = std::round(box.height * config.crop_ratio[1]);
  box.top = std::floor((static_cast<double>(height) - box.height) / 2);
  box.left = std::floor((static_cast<double>(width) - box.width) / 2);
  return box;
}

CropBox draw_crop(const AugmentationConfig& config, Draws& draws, std::int64_t height, std::int64_t width) {
  if (config.crop_scale[0] == 1) return whole(height, width);
  const double area = static_cast<double>(height * width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * draws.uniform(config.crop_scale[0], config.crop_scale[1]);
    const double ratio = std::exp(draws.uniform(std::log(config.crop_ratio[0]), std::log(config.crop_ratio[1])));
    const auto w = static_cast<std::int64_t>(std::llround(std::sqrt(target * ratio)));
    const auto h = static_cast<std::int64_t>(std::llround(std::sqrt(target / ratio)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const auto top = draws.below(static_cast<std::uint64_t>(height - h + 1));
    const auto left = draws.below(static_cast<std::uint64_t>(width - w + 1));
    return {static_cast<double>(top), static_cast<double>(left), static_cast<double>(h), static_cast<double>(w)};
  }
  return central_of_ratio(config, height, width);
}

double around(Draws& draws, double centre, double spread) {
  return spread == 0 ? centre : draws.uniform(centre - spread, centre + spread);
}

std::vector<ImageOpDraw> draw_ops(const AugmentationConfig& config, Draws& draws) {
  std::vector<ImageOpDraw> ops;
  for (std::int64_t i = 0; i < config.randaugment_ops; ++i) {
    const auto op = static_cast<ImageOp>(draws.below(image_ops));
    ops.push_back(image_op(op, config.randaugment_magnitude, draws.uniform() < 0.5 ? -1 : 1));
  }
  return ops;
}

/// Ten tries, then none. Sides in shares: the area's share is the product, the ratio is that of pixels, since the
/// output is square.
std::optional<ErasedBox> draw_erased(const AugmentationConfig& config, Draws& draws) {
  if (config.random_erasing == 0 || draws.uniform() >= config.random_erasing) return std::nullopt;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = draws.uniform(0.02, 0.33);
    const double ratio = std::exp(draws.uniform(std::log(0.3), std::log(3.3)));
    const ErasedBox box{std::sqrt(area * ratio), std::sqrt(area / ratio), draws.uniform(), draws.uniform()};
    if (box.height < 1 && box.width < 1) return box;
  }
  return std::nullopt;
}

}  // namespace

ImageOpDraw image_op(ImageOp op, int magnitude, int sign) {
  const double strength = static_cast<double>(magnitude) / strongest_magnitude;
  switch (op) {
    case ImageOp::identity:
    case ImageOp::auto_contrast:
    case ImageOp::equalize:
      return {op, 0};
    case ImageOp::shear_x:
    case ImageOp::shear_y:
      return {op, 0.3 * strength * sign};
    case ImageOp::translate_x:
    case ImageOp::translate_y:
      return {op, 150.0 / 331.0 * strength * sign};
    case ImageOp::rotate:
      return {op, 30 * strength * sign};
    case ImageOp::brightness:
    case ImageOp::saturation:
    case ImageOp::contrast:
    case ImageOp::sharpness:
      return {op, 1 + 0.9 * strength * sign};
    case ImageOp::posterize:
      return {op, std::nearbyint(8 - 4 * strength)};
    case ImageOp::solarize:
      return {op, 255 * (1 - strength)};
  }
  return {};
}

Augmentation draw_augmentation(const AugmentationConfig& config, std::uint64_t seed, std::int64_t epoch,
                               std::int64_t id, std::int64_t height, std::int64_t width, std::int32_t copy) {
  Augmentation result;
  result.crop = whole(height, width);
  if (!config.on) return result;
  Draws draws(seed, Purpose::augmentation, draw_coordinate(epoch, copy), static_cast<std::uint64_t>(id));
  result.crop = draw_crop(config, draws, height, width);
  result.flip = draws.uniform() < config.flip;
  result.vertical_flip = draws.uniform() < config.vertical_flip;
  result.rotation = around(draws, 0, config.rotation) * std::numbers::pi / 180;
  result.scale = around(draws, 1, config.scaling);
  result.shift_x = around(draws, 0, config.translation);
  result.shift_y = around(draws, 0, config.translation);
  result.brightness = around(draws, 1, config.colour_jitter);
  result.contrast = around(draws, 1, config.colour_jitter);
  result.saturation = around(draws, 1, config.colour_jitter);
  result.ops = draw_ops(config, draws);
  result.erased = draw_erased(config, draws);
  return result;
}

CropBox centre_crop(std::int64_t height, std::int64_t width, std::int64_t resize, std::int64_t side) {
  const double source_pixels = static_cast<double>(std::min(height, width)) / static_cast<double>(resize);
  const double box = source_pixels * static_cast<double>(side);
  return {(static_cast<double>(height) - box) / 2, (static_cast<double>(width) - box) / 2, box, box};
}

}  // namespace lockstep
