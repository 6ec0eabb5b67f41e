#include "lockstep/weights/origin.hpp"

#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"
#include "lockstep/core/json_fault.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* key = "lockstep";

WeightsOrigin parse(const std::string& text) {
  const Json json = Json::parse(text);
  WeightsOrigin origin;
  origin.model = json.at("model");
  origin.layers = json.at("layers").get<std::map<std::string, std::string>>();
  origin.classes = json.at("classes").get<std::vector<std::string>>();
  origin.channels = json.at("channels");
  origin.packed_side = json.at("packed_side");
  origin.packed_resize = json.at("packed_resize");
  origin.side = json.at("side");
  origin.eval_resize = json.at("eval_resize");
  return origin;
}

/// Sides that an image can have, since what comes of them is memory, and words that options know.
bool is_sane(const WeightsOrigin& origin) {
  constexpr std::int64_t largest_side = 16384;
  for (const std::int64_t side : {origin.packed_side, origin.side, origin.eval_resize}) {
    if (side < 1 || side > largest_side) return false;
  }
  const bool resized =
      origin.packed_resize == "crop" || origin.packed_resize == "stretch" || origin.packed_resize == "pad";
  return resized && !origin.classes.empty() && (origin.channels == 1 || origin.channels == 3) &&
         origin.side <= origin.eval_resize;
}

}  // namespace

std::optional<WeightsOrigin> weights_origin(const WeightFile& weights, const std::filesystem::path& file) {
  const auto found = weights.metadata.find(key);
  if (found == weights.metadata.end()) return std::nullopt;
  constexpr const char* hint = "write the file again, or take 'lockstep' out of its metadata";
  try {
    WeightsOrigin origin = parse(found->second);
    if (is_sane(origin)) return origin;
  } catch (const Json::exception& error) {
    throw Error("what the metadata say of the network is damaged: " + json_fault(error), file.string(), hint);
  }
  throw Error("what the metadata say of the network's input cannot be", file.string(), hint);
}

void set_weights_origin(WeightFile& weights, const WeightsOrigin& origin) {
  const Json json{
      {"model", origin.model},       {"layers", origin.layers},           {"classes", origin.classes},
      {"channels", origin.channels}, {"packed_side", origin.packed_side}, {"packed_resize", origin.packed_resize},
      {"side", origin.side},         {"eval_resize", origin.eval_resize}};
  weights.metadata[key] = json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lockstep
