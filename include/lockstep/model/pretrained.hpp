// Starting from the weights of a file: ours, or a state dict of torchvision's model saved by Python's safetensors.
//
// Names must be the model's; what misses, what is unexpected and what has another shape is listed. Two liberties, both
// torchvision's own habits: a batch norm's num_batches_tracked may be absent or of another type, and where only the
// heads (Model::heads) are for another number of classes, they keep their initial weights. Floats of another width are
// converted. Run on one rank, before the weights are broadcast. Errors: those of reading; weights
// of another model; weights for another number of image channels. Memory: the file once.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/model/model.hpp"
#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

struct PretrainedReport {
  std::size_t loaded = 0;              ///< tensors taken from the file
  std::vector<std::string> new_heads;  ///< that start anew, such as "fc"
  std::int64_t file_classes = 0;       ///< of the file's head
  std::int64_t classes = 0;            ///< of the model's

  /// Whether a parameter belongs to one of the new heads.
  bool starts_anew(std::string_view name) const;
};

PretrainedReport start_from(const WeightFile& weights, Model& model, const std::filesystem::path& file);

/// For a person, one line.
std::string describe(const PretrainedReport& report, const std::filesystem::path& file);

}  // namespace lockstep
