#include "lockstep/weights/keras_file.hpp"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <set>

#include "lockstep/core/error.hpp"
#include "lockstep/weights/input_statistics.hpp"
#include "weights/keras_layers.hpp"

namespace lockstep {
namespace {

/// What Keras' batch norm adds to a variance, less what PyTorch's does.
constexpr double more_epsilon = 1e-3 - 1e-5;

/// Takes layers out of the file, one after the other, and gives them PyTorch's names and layout.
class Conversion {
 public:
  Conversion(const KerasLayers& layers, std::string_view model) : layers_(layers), model_(model) {}

  bool has(const std::string& layer) const { return layers_.find(layer) != nullptr; }

  void convolution(const std::string& layer, const std::string& name) {
    const KerasLayer& from = take(layer, {1, 2});
    add(name + ".weight", kernel(from, 0, 4).permute({3, 2, 0, 1}));
    if (from.tensors.size() == 2) add(name + ".bias", kernel(from, 1, 1));
  }

  /// Depthwise [h, w, in, 1], then pointwise.
  void separable(const std::string& layer, const std::string& name) {
    const KerasLayer& from = take(layer, {2});
    const at::Tensor depthwise = kernel(from, 0, 4);
    if (depthwise.size(3) != 1) fail(fmt::format("{} has a depth multiplier of {}", layer, depthwise.size(3)));
    add(name + ".conv1.weight", depthwise.permute({2, 3, 0, 1}));
    add(name + ".pointwise.weight", kernel(from, 1, 4).permute({3, 2, 0, 1}));
  }

  void batch_norm(const std::string& layer, const std::string& name) {
    const KerasLayer& from = take(layer, {4});
    add(name + ".weight", kernel(from, 0, 1));
    add(name + ".bias", kernel(from, 1, 1));
    add(name + ".running_mean", kernel(from, 2, 1));
    add(name + ".running_var", kernel(from, 3, 1).add(more_epsilon));
    add(name + ".num_batches_tracked", at::zeros({}, at::kLong));
  }

  void dense(const std::string& layer, const std::string& name) {
    const KerasLayer& from = take(layer, {2});
    add(name + ".weight", kernel(from, 0, 2).t());
    add(name + ".bias", kernel(from, 1, 1));
  }

  /// Behind a flattened [side, side, channels], which PyTorch flattens as [channels, side, side].
  void dense_of_image(const std::string& layer, const std::string& name, std::int64_t side, std::int64_t channels) {
    const KerasLayer& from = take(layer, {2});
    const at::Tensor weight = kernel(from, 0, 2);
    const std::int64_t inputs = side * side * channels, outputs = weight.size(1);
    if (weight.size(0) != inputs)
      fail(fmt::format("{} takes {} features, {}'s takes {}: the model was built for another image size than 224",
                       layer, weight.size(0), model_, inputs));
    add(name + ".weight",
        weight.reshape({side, side, channels, outputs}).permute({3, 2, 0, 1}).reshape({outputs, inputs}));
    add(name + ".bias", kernel(from, 1, 1));
  }

  /// Keras' "caffe" images: BGR from 0 to 255, less ImageNet's mean. Ours: RGB from 0 to 1, less that mean.
  void fold_caffe_input(const std::string& first) {
    for (auto& [name, tensor] : weights_.tensors) {
      if (name == first + ".weight") tensor = tensor.flip(1).mul(255.0).contiguous();
    }
    set_input_statistics(weights_, {{123.68 / 255, 116.779 / 255, 103.939 / 255}, {1, 1, 1}});
    weights_.notes.push_back(
        "the first layer takes RGB from 0 to 1 less the input mean, in place of Keras' BGR to 255");
  }

  WeightFile finish() {
    std::vector<std::string> unknown;
    for (const KerasLayer& layer : layers_.all()) {
      if (!taken_.contains(layer.name)) unknown.push_back(layer.name);
    }
    if (!unknown.empty()) fail(fmt::format("{} has no layers {}", model_, fmt::join(unknown, ", ")));
    return std::move(weights_);
  }

  WeightFile& weights() { return weights_; }
  const KerasLayers& layers() const { return layers_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("the weights are of another model; " + what, layers_.path().string(),
                fmt::format("give Keras' weights of {}, or the model of these weights", model_));
  }

  const KerasLayer& take(const std::string& layer, const std::set<std::size_t>& tensors) {
    const KerasLayer* found = layers_.find(layer);
    if (found == nullptr) fail("missing: " + layer);
    if (!tensors.contains(found->tensors.size())) fail(fmt::format("{} has {} tensors", layer, found->tensors.size()));
    taken_.insert(layer);
    return *found;
  }

  at::Tensor kernel(const KerasLayer& layer, std::size_t index, std::int64_t axes) const {
    const at::Tensor tensor = layers_.tensor(layer, index);
    if (tensor.dim() != axes)
      fail(fmt::format("{} is [{}], {} axes expected", layer.tensors[index], fmt::join(tensor.sizes(), ", "), axes));
    return tensor;
  }

  void add(const std::string& name, const at::Tensor& tensor) {
    weights_.tensors.emplace_back(name, tensor.contiguous());
  }

  const KerasLayers& layers_;
  std::string model_;
  WeightFile weights_;
  std::set<std::string> taken_;
};

void convert_vgg(Conversion& vgg, const std::array<int, 5>& convolutions) {
  int index = 0;
  for (std::size_t block = 0; block < convolutions.size(); ++block) {
    for (int i = 1; i <= convolutions[block]; ++i, index += 2)  // an activation behind each
      vgg.convolution(fmt::format("block{}_conv{}", block + 1, i), fmt::format("features.{}", index));
    ++index;  // pooling
  }
  if (vgg.has("fc1")) vgg.dense_of_image("fc1", "classifier.0", 7, 512);
  if (vgg.has("fc1") || vgg.has("fc2")) vgg.dense("fc2", "classifier.3");
  if (vgg.has("fc1") || vgg.has("predictions")) vgg.dense("predictions", "classifier.6");
  vgg.fold_caffe_input("features.0");
}

/// The four convolutions beside blocks have no names of their own, only numbers that go up, and so their batch norms.
std::vector<std::string> nameless(const Conversion& conversion, std::size_t tensors) {
  std::vector<std::string> names;
  for (const KerasLayer& layer : conversion.layers().all()) {
    const bool named = layer.name.starts_with("block") || layer.name == "predictions";
    if (!named && layer.tensors.size() == tensors) names.push_back(layer.name);
  }
  names.resize(4, "the convolutions beside blocks 2, 3, 4 and 13");
  return names;
}

/// A separable convolution of Keras' block and its batch norm, at position `at` of timm's block.
void convert_separable(Conversion& xception, int block, int number, int at) {
  const std::string from = fmt::format("block{}_sepconv{}", block, number), to = fmt::format("block{}.rep", block - 1);
  xception.separable(from, fmt::format("{}.{}", to, at));
  xception.batch_norm(from + "_bn", fmt::format("{}.{}", to, at + 1));
}

void convert_xception(Conversion& xception) {
  const std::vector<std::string> beside = nameless(xception, 1), norms = nameless(xception, 4);
  for (const int i : {1, 2}) {
    xception.convolution(fmt::format("block1_conv{}", i), fmt::format("conv{}", i));
    xception.batch_norm(fmt::format("block1_conv{}_bn", i), fmt::format("bn{}", i));
  }
  std::size_t next = 0;
  for (int block = 2; block <= 13; ++block) {
    const bool shrinks = block <= 4 || block == 13, begins_with_activation = block > 2;
    if (shrinks) {
      xception.convolution(beside[next], fmt::format("block{}.skip", block - 1));
      xception.batch_norm(norms[next++], fmt::format("block{}.skipbn", block - 1));
    }
    for (int number = 1; number <= (shrinks ? 2 : 3); ++number)
      convert_separable(xception, block, number, 3 * (number - 1) + (begins_with_activation ? 1 : 0));
  }
  for (const int i : {1, 2}) {
    xception.separable(fmt::format("block14_sepconv{}", i), fmt::format("conv{}", i + 2));
    xception.batch_norm(fmt::format("block14_sepconv{}_bn", i), fmt::format("bn{}", i + 2));
  }
  if (xception.has("predictions")) xception.dense("predictions", "fc");
  set_input_statistics(xception.weights(), {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}});
  xception.weights().notes.push_back(fmt::format("{:.5f} is in all variances, which Keras adds to them", more_epsilon));
}

void convert_squeezenet(Conversion& squeezenet) {
  constexpr std::array places{3, 4, 6, 7, 9, 10, 11, 12};  // of the fire modules: pooling lies between
  squeezenet.convolution("conv1", "features.0");
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::string from = fmt::format("fire{}/", i + 2), to = fmt::format("features.{}.", places[i]);
    squeezenet.convolution(from + "squeeze1x1", to + "squeeze");
    squeezenet.convolution(from + "expand1x1", to + "expand1x1");
    squeezenet.convolution(from + "expand3x3", to + "expand3x3");
  }
  if (squeezenet.has("conv10")) squeezenet.convolution("conv10", "classifier.1");
  squeezenet.fold_caffe_input("features.0");
}

/// Why weights of Keras are not taken for this model.
std::string refusal(std::string_view model) {
  if (model.empty()) return "weights of Keras, which do not say whose they are";
  if (model == "resnet50")
    return "Keras' ResNet50 strides in the first convolution of a block, this one in the second: no weights make them "
           "equal";
  if (model == "inception_v3")
    return "Keras' Inception V3 leaves the padding out of its average pooling, this one counts it: no weights make "
           "them equal";
  return fmt::format("weights of Keras are not read for {}", model);
}

/// "block1_conv1/block1_conv1_W_1:0" and the like end with what the tensor is called.
std::string stored_name(const KerasLayer& layer, std::size_t index) {
  const std::string& path = layer.tensors[index];
  const std::string name = path.substr(path.rfind('/') + 1);
  return layer.name + "/" + name.substr(0, name.rfind(":0"));
}

}  // namespace

WeightFile read_keras(const std::filesystem::path& file, std::string_view model) {
  const KerasLayers layers(file);
  Conversion conversion(layers, model);
  if (model == "vgg16") {
    convert_vgg(conversion, {2, 2, 3, 3, 3});
  } else if (model == "vgg19") {
    convert_vgg(conversion, {2, 2, 4, 4, 4});
  } else if (model == "xception") {
    convert_xception(conversion);
  } else if (model == "squeezenet1_1") {
    convert_squeezenet(conversion);
  } else {
    throw Error(refusal(model), file.string(), "read are Keras' vgg16, vgg19, xception and squeezenet1_1: --model");
  }
  return conversion.finish();
}

WeightFile read_keras_as_stored(const std::filesystem::path& file) {
  const KerasLayers layers(file);
  WeightFile weights;
  for (const KerasLayer& layer : layers.all()) {
    for (std::size_t i = 0; i < layer.tensors.size(); ++i)
      weights.tensors.emplace_back(stored_name(layer, i), layers.tensor(layer, i));
  }
  return weights;
}

}  // namespace lockstep
