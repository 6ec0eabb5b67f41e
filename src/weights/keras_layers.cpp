#include "weights/keras_layers.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t most_layers = 100'000;

/// Runs what HDF5 reads; its errors know of data sets, which are not what the user gave.
template <typename Read>
auto reading(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(error.message(), error.where(), "the file is damaged or not Keras': copy or save it again");
  }
}

}  // namespace

KerasLayers::KerasLayers(const std::filesystem::path& path)
    : file_(reading([&] { return hdf5::File::open(path); })), bytes_(path) {
  const std::string whole_model = "model_weights";
  const bool is_whole = reading([&] { return file_.has(whole_model); });
  const std::string root = is_whole ? whole_model : "/";
  if (is_whole) root_ = whole_model + "/";
  refuse_without_names(root);
  refuse_backend(root);
  const std::vector<std::string> names = texts(root, "layer_names");
  if (names.size() > most_layers)
    throw Error(fmt::format("{} layers", names.size()), path.string(), "copy or save the file again");
  for (const std::string& name : names) {
    KerasLayer layer{name, texts(root_ + name, "weight_names")};
    if (!layer.tensors.empty()) layers_.push_back(std::move(layer));
  }
}

/// An attribute too long for a header is cut into name0, name1 …
std::vector<std::string> KerasLayers::texts(const std::string& object, const std::string& name) const {
  return reading([&] {
    if (auto whole = file_.read_text_attribute(object, name)) return *whole;
    std::vector<std::string> joined;
    for (std::size_t part = 0; part < most_layers; ++part) {
      const auto more = file_.read_text_attribute(object, fmt::format("{}{}", name, part));
      if (!more && part == 0)
        throw Error(fmt::format("no attribute {} of {}", name, object), bytes_.path().string(), "");
      if (!more) break;
      joined.insert(joined.end(), more->begin(), more->end());
    }
    return joined;
  });
}

void KerasLayers::refuse_without_names(const std::string& root) const {
  const std::string where = bytes_.path().string();
  const bool has_names = reading([&] {
    return file_.read_text_attribute(root, "layer_names") || file_.read_text_attribute(root, "layer_names0");
  });
  if (has_names) return;
  const bool third_version =
      reading([&] { return file_.has("layers") || file_.has("_layer_checkpoint_dependencies"); });
  if (third_version)
    throw Error("the .weights.h5 layout of Keras 3, which numbers layers instead of naming them", where,
                "in Keras: model.load_weights(this); model.save('weights.h5'), the layout that is read");
  throw Error("an HDF5 file without layer_names: no weights of Keras", where,
              "in Keras: model.save('weights.h5'); or give another file");
}

/// Theano's convolutions are turned by 180 degrees.
void KerasLayers::refuse_backend(const std::string& root) const {
  const auto backend = reading([&] { return file_.read_text_attribute(root, "backend"); });
  if (!backend || backend->empty() || backend->front() != "theano") return;
  throw Error("weights of Keras' Theano backend", bytes_.path().string(),
              "load them in Keras with another backend and save them again");
}

const KerasLayer* KerasLayers::find(std::string_view name) const {
  const auto found = std::ranges::find(layers_, name, &KerasLayer::name);
  return found == layers_.end() ? nullptr : &*found;
}

at::Tensor KerasLayers::tensor(const KerasLayer& layer, std::size_t index) const {
  const std::string name = root_ + layer.name + "/" + layer.tensors[index];
  const hdf5::Layout layout = reading([&] { return file_.layout(name); });
  const std::string where = bytes_.path().string();
  std::int64_t count = 1;
  const std::uint64_t room = layout.offset && *layout.offset < bytes_.size() ? bytes_.size() - *layout.offset : 0;
  bool fits = layout.element == hdf5::Element::float32;
  for (const std::int64_t size : layout.shape) fits = fits && size > 0 && !__builtin_mul_overflow(count, size, &count);
  if (!fits || static_cast<std::uint64_t>(count) > room / sizeof(float))
    throw Error(fmt::format("{} of [{}] is no whole block of float32 in the file", name, fmt::join(layout.shape, ", ")),
                where, "save it in Keras as float32 and uncompressed, or copy it again");
  at::Tensor tensor = at::empty(layout.shape, at::kFloat);
  bytes_.read(*layout.offset, {static_cast<std::uint8_t*>(tensor.data_ptr()), tensor.nbytes()});
  return tensor;
}

}  // namespace lockstep
