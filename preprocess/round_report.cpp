#include "preprocess/round_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

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

constexpr std::size_t print_words = 8;  // of a fingerprint: bytes, content, four of look, two of small numbers

void add_words(const ImageFingerprint& print, std::vector<std::uint64_t>& words) {
  words.push_back(static_cast<std::uint64_t>(print.bytes));
  words.push_back(print.content);
  words.insert(words.end(), print.look.begin(), print.look.end());
  std::uint64_t range = 0, level = print.contrast;
  for (std::size_t c = 0; c < 3; ++c) {
    range |= (std::uint64_t{print.least[c]} | std::uint64_t{print.most[c]} << 8) << (16 * c);
    level |= std::uint64_t{print.mean[c]} << (8 * (c + 1));
  }
  words.push_back(range);
  words.push_back(level);
}

ImageFingerprint print_from(std::span<const std::uint64_t, print_words> words) {
  ImageFingerprint print;
  print.bytes = static_cast<std::int64_t>(words[0]);
  print.content = words[1];
  std::ranges::copy(words.subspan(2, 4), print.look.begin());
  for (std::size_t c = 0; c < 3; ++c) {
    print.least[c] = static_cast<std::uint8_t>(words[6] >> (16 * c));
    print.most[c] = static_cast<std::uint8_t>(words[6] >> (16 * c + 8));
    print.mean[c] = static_cast<std::uint8_t>(words[7] >> (8 * (c + 1)));
  }
  print.contrast = static_cast<std::uint8_t>(words[7]);
  return print;
}

}  // namespace

std::string RoundReport::to_bytes() const {
  std::vector<std::int32_t> sizes;  // width, height, width …
  Json refusals = Json::array();    // [position, text], few
  std::vector<std::uint64_t> prints;
  for (std::size_t at = 0; at < outcomes.size(); ++at) {
    sizes.push_back(outcomes[at].width);
    sizes.push_back(outcomes[at].height);
    add_words(outcomes[at].fingerprint, prints);
    if (!outcomes[at].refusal.empty()) refusals.push_back({at, outcomes[at].refusal});
  }
  Json root = {{"shard", shard},        {"sizes", sizes},        {"refusals", refusals},   {"prints", prints},
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
  for (std::size_t at = 0; at + 1 < sizes.size(); at += 2)
    report.outcomes.push_back({sizes[at], sizes[at + 1], "", {}});
  const auto prints = root.at("prints").get<std::vector<std::uint64_t>>();
  for (std::size_t at = 0; at < report.outcomes.size(); ++at)
    report.outcomes[at].fingerprint = print_from(std::span(prints).subspan(at * print_words).first<print_words>());
  for (const Json& refusal : root.at("refusals")) {
    report.outcomes.at(refusal[0].get<std::size_t>()).refusal = refusal[1].get<std::string>();
  }
  report.sums = {root.at("pixels").get<std::int64_t>(), root.at("values").get<std::array<std::int64_t, 3>>(),
                 root.at("squares").get<std::array<std::int64_t, 3>>()};
  if (root.contains("failure")) report.failure = failure_from(root["failure"]);
  return report;
}

}  // namespace lockstep::preprocess
