// What a weight file of ours says of the network it holds, so that it can name images without the run it comes from.
//
// It travels in a WeightFile's metadata under "lockstep", a JSON object: model (as --model says it), layers (the custom
// CNN's options), classes in the order of their numbers, and how images came in: packed_side, packed_resize, channels,
// side, eval_resize. How they are normalised stands beside it: input_statistics.hpp. Files of others have none. A
// value; pure functions. Errors: text that is no such object; the file is named.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

struct WeightsOrigin {
  std::string model;
  std::map<std::string, std::string> layers = {};  ///< options of train by name; empty but for the custom CNN
  std::vector<std::string> classes = {};           ///< [label]
  std::int64_t channels = 0, packed_side = 0, side = 0, eval_resize = 0;  ///< pixels
  std::string packed_resize = {};                                         ///< as lockstep preprocess --resize says it
  bool operator==(const WeightsOrigin&) const = default;
};

std::optional<WeightsOrigin> weights_origin(const WeightFile& weights, const std::filesystem::path& file);
void set_weights_origin(WeightFile& weights, const WeightsOrigin& origin);

}  // namespace lockstep
