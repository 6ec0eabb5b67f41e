// Starting from the weights of a file: ours, or a state dict of torchvision's model (timm's for Xception), however saved.
//
// Names must be the model's; what misses, what is unexpected and what has another shape is listed. Four liberties: a batch
// norm's num_batches_tracked may be absent or of another type; heads (Model::heads) for another number of classes keep
// their initial weights; so does a head that the file lacks, with all of the part it ends where all of that is lacking (a
// trunk without "classifier"); and a first layer for three channels is summed over them for one. Then grey images give
// what the same value in all three channels would, under the same normalisation: InputStatistics::grey() fits best.
// Floats of another width are converted. Run on one rank, before the weights are broadcast. Errors: weights of another
// model, weights for one channel where images have three, values that are NaN or infinite. Memory: the file once.
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
  std::vector<std::string> new_heads;  ///< that start anew, being for other classes, such as "fc"
  std::vector<std::string> absent;     ///< heads or parts that start anew, the file having none: "classifier"
  std::int64_t file_classes = 0;       ///< of the file's head; 0: it has none
  std::int64_t classes = 0;            ///< of the model's
  std::int64_t summed_channels = 0;    ///< of the file's first layer, summed for one; 0: taken as they are
  std::vector<std::string> notes;      ///< the reader's

  /// Whether a parameter belongs to one of the new or absent heads.
  bool starts_anew(std::string_view name) const;
};

PretrainedReport start_from(const WeightFile& weights, Model& model, const std::filesystem::path& file);

/// For a person, a line or two.
std::string describe(const PretrainedReport& report, const std::filesystem::path& file);

}  // namespace lockstep
