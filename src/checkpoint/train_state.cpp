#include "lockstep/checkpoint/train_state.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"
#include "lockstep/core/json_fault.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const EpochSums& sums) {
  return {{"loss_sum", sums.loss_sum},
          {"samples", sums.samples},
          {"correct", sums.correct},
          {"steps", sums.steps},
          {"exposed_seconds", sums.exposed_seconds},
          {"waited_seconds", sums.waited_seconds},
          {"seconds", sums.seconds}};
}

EpochSums sums_of(const Json& json) {
  EpochSums sums;
  sums.loss_sum = json.at("loss_sum");
  sums.samples = json.at("samples");
  sums.correct = json.at("correct");
  sums.steps = json.at("steps");
  sums.exposed_seconds = json.at("exposed_seconds");
  sums.waited_seconds = json.at("waited_seconds");
  sums.seconds = json.at("seconds");
  return sums;
}

Json json_of(const Patience& patience) {
  return {{"best", patience.best ? Json(*patience.best) : Json()}, {"waited", patience.waited}};
}

Patience patience_of(const Json& state, const char* name) {
  Patience patience;
  if (!state.contains(name)) return patience;
  const Json& json = state.at(name);
  if (!json.at("best").is_null()) patience.best = json.at("best").get<double>();
  patience.waited = json.at("waited");
  return patience;
}

}  // namespace

std::string TrainState::to_json() const {
  Json json;
  json["format_version"] = format_version;
  json["epoch"] = epoch;
  json["step"] = step;
  json["steps"] = steps;
  json["sums"] = json_of(sums);
  json["optimiser_steps"] = optimiser_steps;
  json["judged_steps"] = judged_steps;
  json["best_score"] = best_score ? Json(*best_score) : Json();
  json["best_epoch"] = best_epoch;
  json["early_stopping"] = json_of(early_stopping);
  json["plateau"] = json_of(plateau);
  json["plateaus"] = plateaus;
  json["averaged"] = averaged;
  json["ranks"] = ranks;
  json["data_digest"] = data_digest;
  return json.dump(2) + "\n";
}

TrainState TrainState::from_json(std::string_view text, const std::string& where) {
  try {
    const auto json = Json::parse(text);
    if (const int version = json.at("format_version");
        version < oldest_readable_version || version > format_version) {
      throw Error(fmt::format("a checkpoint of format version {}, this program reads {}", version, format_version),
                  where, "go on with the lockstep that made it");
    }
    TrainState state;
    state.epoch = json.at("epoch");
    state.step = json.at("step");
    state.steps = json.at("steps");
    state.sums = sums_of(json.at("sums"));
    state.optimiser_steps = json.at("optimiser_steps").get<std::map<std::string, std::int64_t>>();
    state.judged_steps = json.at("judged_steps");
    if (!json.at("best_score").is_null()) state.best_score = json.at("best_score").get<double>();
    state.best_epoch = json.at("best_epoch");
    state.early_stopping = patience_of(json, "early_stopping");
    state.plateau = patience_of(json, "plateau");
    state.plateaus = json.value("plateaus", state.plateaus);
    state.averaged = json.value("averaged", state.averaged);
    state.ranks = json.at("ranks");
    state.data_digest = json.at("data_digest");
    return state;
  } catch (const Json::exception& error) {
    throw Error(fmt::format("not the state of a run: {}", json_fault(error)), where,
                "remove this checkpoint; an older one is used then");
  }
}

}  // namespace lockstep
