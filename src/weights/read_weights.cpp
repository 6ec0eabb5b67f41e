#include "lockstep/weights/read_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/weights/keras_file.hpp"
#include "lockstep/weights/safetensors.hpp"
#include "lockstep/weights/torch_file.hpp"

namespace lockstep {
namespace {

using Beginning = std::array<std::uint8_t, 512>;

bool says(const Beginning& bytes, std::size_t at, std::string_view text) {
  return std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

/// The prefix of models that were saved inside DataParallel or DistributedDataParallel.
void strip_module(WeightFile& weights) {
  constexpr std::string_view prefix = "module.";
  const bool all = !weights.tensors.empty() && std::ranges::all_of(weights.tensors, [&](const auto& pair) {
    return pair.first.starts_with(prefix);
  });
  if (!all) return;
  for (auto& [name, tensor] : weights.tensors) name.erase(0, prefix.size());
  weights.notes.push_back("'module.' was taken off all names");
}

WeightFile read_torch(WeightFormat format, const std::filesystem::path& file) {
  switch (format) {
    case WeightFormat::safetensors:
      return read_safetensors(file);
    case WeightFormat::torch_zip:
      return read_torch_zip(file);
    default:
      return read_torch_legacy(file);
  }
}

}  // namespace

std::string_view name_of(WeightFormat format) {
  switch (format) {
    case WeightFormat::safetensors:
      return "safetensors";
    case WeightFormat::torch_zip:
      return "PyTorch, zip";
    case WeightFormat::torch_legacy:
      return "PyTorch before 1.6, pickles";
    case WeightFormat::keras:
      return "Keras, HDF5";
  }
  return "";
}

WeightFormat weight_format_of(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  Beginning bytes{};
  file.read(0, std::span(bytes).first(std::min<std::uint64_t>(file.size(), bytes.size())));
  if (says(bytes, 0, "PK\x03\x04")) return WeightFormat::torch_zip;
  if (says(bytes, 0, "\x89HDF\r\n\x1a\n")) return WeightFormat::keras;
  if (bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) return WeightFormat::torch_legacy;
  if (says(bytes, 257, "ustar"))
    throw Error("the tar format that PyTorch wrote before 0.1.10", path.string(),
                "load it in Python and save it again: torch.save(torch.load(old), 'weights.pth')");
  if (bytes[8] == '{') return WeightFormat::safetensors;
  throw Error(fmt::format("a file of {} bytes that is no weight file of a format that is read", file.size()),
              path.string(), "give safetensors, a .pth of PyTorch or an .h5 of Keras, whole");
}

WeightFile read_weights(const std::filesystem::path& file, std::string_view model) {
  const WeightFormat format = weight_format_of(file);
  if (format == WeightFormat::keras) return read_keras(file, model);
  WeightFile weights = read_torch(format, file);
  strip_module(weights);
  return weights;
}

WeightFile read_weights_as_stored(const std::filesystem::path& file) {
  const WeightFormat format = weight_format_of(file);
  return format == WeightFormat::keras ? read_keras_as_stored(file) : read_torch(format, file);
}

}  // namespace lockstep
