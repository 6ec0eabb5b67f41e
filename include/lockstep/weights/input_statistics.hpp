// How images must be normalised for a network that a weight file holds: x = (pixel / 255 − mean) / std, by channel,
// RGB.
//
// They travel in a WeightFile's metadata under "input_mean" and "input_std", each "0.485,0.456,0.406": in safetensors
// in the header's __metadata__, in a zip .pth in a record of its own that PyTorch passes over. Readers of Keras' files
// set them, for there the mean cannot go into the first layer: behind zero padding a mean is not a bias. Training takes
// them for its normalisation where the user says nothing. Most files carry none; then they are the network's usual
// ones, which is not for this header to know. A value; pure functions. Errors: values that are no such lists of
// numbers.
#pragma once
#include <optional>
#include <vector>

#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

struct InputStatistics {
  std::vector<double> mean, std;  ///< [channel], of pixel values from 0 to 1

  /// For one channel, where the weights of three were summed: the mean of each. With equal values for all channels that
  /// is exact; with ImageNet's the scale is off by up to 1.4 % and the shift by up to 0.05 of the range.
  InputStatistics grey() const;
};

/// None where the file says nothing of it. Errors: damaged values; `file` is named.
std::optional<InputStatistics> input_statistics(const WeightFile& weights, const std::filesystem::path& file);
void set_input_statistics(WeightFile& weights, const InputStatistics& statistics);

}  // namespace lockstep
