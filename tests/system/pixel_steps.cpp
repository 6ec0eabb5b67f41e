// ImageTransform on a raw image, for the comparison with torchvision: pixel_steps WORK.json does each of a list of
//   {"image": file of uint8 [height, width, channels], "shape": [height, width, channels], "side": pixels,
//    "mean": [..], "std": [..], "output": file of float32 (or uint8, where "bytes" is true) [side, side, channels],
//    "crop": [top, left, height, width], and what else of an Augmentation is not its default}
// "ops" are [name, magnitude, sign], as image_op() takes them; or [name, magnitude, 0, amount] with the amount given.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/image_transform.hpp"

namespace {

using namespace lockstep;
using nlohmann::json;

constexpr std::array<std::string_view, image_ops> names{
    "Identity", "ShearX",   "ShearY",    "TranslateX", "TranslateY", "Rotate",       "Brightness",
    "Color",    "Contrast", "Sharpness", "Posterize",  "Solarize",   "AutoContrast", "Equalize"};

ImageOpDraw op_of(const json& work) {
  const auto name = work.at(0).get<std::string>();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) throw Error("no such operation", name, "");
  const auto op = static_cast<ImageOp>(found - names.begin());
  if (work.size() == 4) return {op, work.at(3).get<double>()};
  return image_op(op, work.at(1).get<int>(), work.at(2).get<int>());
}

Augmentation augmentation_of(const json& work) {
  Augmentation a;
  const auto crop = work.at("crop").get<std::array<double, 4>>();
  a.crop = {crop[0], crop[1], crop[2], crop[3]};
  a.flip = work.value("flip", false);
  a.vertical_flip = work.value("vertical_flip", false);
  a.rotation = work.value("rotation", 0.0);
  a.scale = work.value("scale", 1.0);
  a.shift_x = work.value("shift_x", 0.0);
  a.shift_y = work.value("shift_y", 0.0);
  a.brightness = work.value("brightness", 1.0);
  a.contrast = work.value("contrast", 1.0);
  a.saturation = work.value("saturation", 1.0);
  for (const json& op : work.value("ops", json::array())) a.ops.push_back(op_of(op));
  if (work.contains("erased")) {
    const auto box = work.at("erased").get<std::array<double, 4>>();
    a.erased = ErasedBox{box[0], box[1], box[2], box[3]};
  }
  return a;
}

template <typename T>
std::string slot_of(const ImageTransform& transform, std::string_view image, const Augmentation& augmentation) {
  std::vector<T> slot(transform.slot_size());
  const PixelView view{reinterpret_cast<const std::uint8_t*>(image.data()),
                       {0, 0, transform.source().height, transform.source().width}};
  ImageTransform::Scratch scratch;
  transform.apply(view, augmentation, std::span<T>(slot), scratch);
  return {reinterpret_cast<const char*>(slot.data()), slot.size() * sizeof(T)};
}

void do_one(const json& work) {
  const auto shape = work.at("shape").get<std::array<std::int64_t, 3>>();
  const ChannelScale scale{work.at("mean").get<std::vector<float>>(), work.at("std").get<std::vector<float>>()};
  const ImageTransform transform({shape[0], shape[1], shape[2]}, work.at("side").get<std::int64_t>(), scale);
  const std::string image = read_file(work.at("image").get<std::string>());
  const Augmentation augmentation = augmentation_of(work);
  write_file_atomically(work.at("output").get<std::string>(),
                        work.value("bytes", false) ? slot_of<std::uint8_t>(transform, image, augmentation)
                                                   : slot_of<float>(transform, image, augmentation));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw Error("one file is wanted", "command line", "");
    for (const json& work : json::parse(read_file(argv[1]))) do_one(work);
  } catch (const std::exception& error) {
    fmt::print(stderr, "pixel_steps: {}\n", error.what());
    return 1;
  }
}
