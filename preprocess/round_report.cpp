#include "preprocess/round_report.hpp"

#include <nlohmann/json.hpp>

namespace lockstep::preprocess {
namespace {

using Json = nlohmann::json;

Json failure_json(const Error& error) {
  return {error.message(), error.where(), error.hint(), static_cast<int>(error.exit_code())};
}

Error failure_from(const Json& json) {
  return {json[0].get<std::string>(), json[1].get<std::string>(), json[2].get<std::string>(),
          static_cast<Exit>(json[3].get<int>())};
}

}  // namespace

std::string RoundReport::to_bytes() const {
  std::vector<std::int32_t> sizes;  // width, height, width …
  Json refusals = Json::array();    // [position, text], few
  for (std::size_t at = 0; at < outcomes.size(); ++at) {
    sizes.push_back(outcomes[at].width);
    sizes.push_back(outcomes[at].height);
    if (!outcomes[at].refusal.empty()) refusals.push_back({at, outcomes[at].refusal});
  }
  Json root = {{"shard", shard},        {"sizes", sizes},        {"refusals", refusals},
               {"pixels", sums.pixels}, {"values", sums.values}, {"squares", sums.squares}};
  if (failure) root["failure"] = failure_json(*failure);
  std::string bytes;
  Json::to_cbor(root, bytes);
  return bytes;
}

RoundReport RoundReport::from_bytes(const std::string& bytes) {
  const Json root = Json::from_cbor(bytes);
  RoundReport report;
  report.shard = root.at("shard").get<std::int64_t>();
  const auto sizes = root.at("sizes").get<std::vector<std::int32_t>>();
  for (std::size_t at = 0; at + 1 < sizes.size(); at += 2) report.outcomes.push_back({sizes[at], sizes[at + 1], ""});
  for (const Json& refusal : root.at("refusals")) {
    report.outcomes.at(refusal[0].get<std::size_t>()).refusal = refusal[1].get<std::string>();
  }
  report.sums = {root.at("pixels").get<std::int64_t>(), root.at("values").get<std::array<std::int64_t, 3>>(),
                 root.at("squares").get<std::array<std::int64_t, 3>>()};
  if (root.contains("failure")) report.failure = failure_from(root["failure"]);
  return report;
}

}  // namespace lockstep::preprocess
