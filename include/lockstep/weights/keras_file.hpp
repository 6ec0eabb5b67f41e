// Weights that Keras saved as HDF5 in its layer_names layout (Keras 1 and 2, and what Keras 3 writes under .h5),
// brought to the names and layouts of torchvision's networks (of timm's for Xception).
//
// Source: keras/src/legacy/saving/legacy_h5_format.py and keras/src/applications of Keras 3.15; keras-squeezenet for
// SqueezeNet. Converted exactly: VGG16, VGG19, Xception, SqueezeNet 1.1. Kernels are transposed (HWIO to OIHW; the
// dense layer behind VGG's flattening from HWC to CHW); where Keras feeds BGR from 0 to 255, that order and scale go
// into the first layer and the mean it takes off stays as input statistics (input_statistics.hpp); what Keras adds to a
// batch norm's variance and we don't is added to the variance. Refused, with the reason: ResNet50 and Inception V3,
// which compute something else in Keras, files of the Theano backend, Keras 3's .weights.h5. A file without the top
// ("notop") gives a trunk without a head. float32 alone. Memory: the file once, and one layer. Thread-safe.
//
// Keras pads pooling by the side: Xception agrees where each pooled side is odd (71 or 295 px, not 299), SqueezeNet
// where no window is cut (224 px, not 227).
#pragma once
#include <string_view>

#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

/// `model`: "vgg16", "vgg19", "xception" or "squeezenet1_1". Errors: another or none; layers that are missing, unknown
/// or of another shape.
WeightFile read_keras(const std::filesystem::path& file, std::string_view model);

/// The layers as they lie in the file: "block1_conv1/kernel".
WeightFile read_keras_as_stored(const std::filesystem::path& file);

}  // namespace lockstep
