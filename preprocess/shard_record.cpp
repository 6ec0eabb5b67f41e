#include "preprocess/shard_record.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

namespace lockstep::preprocess {
namespace {

using Json = nlohmann::json;

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

std::string ShardRecord::to_bytes() const {
  std::vector<std::int32_t> sizes;  // width, height, width …
  Json refusals = Json::array();    // [position, text], few
  std::vector<std::uint64_t> prints;
  for (std::size_t at = 0; at < outcomes.size(); ++at) {
    sizes.push_back(outcomes[at].width);
    sizes.push_back(outcomes[at].height);
    add_words(outcomes[at].fingerprint, prints);
    if (!outcomes[at].refusal.empty()) refusals.push_back({at, outcomes[at].refusal});
  }
  const Json file = {entry.file, entry.samples, entry.bytes, entry.checksum};
  const Json root = {{"shard", shard},        {"digest", digest},      {"entry", file},
                     {"sizes", sizes},        {"refusals", refusals},  {"prints", prints},
                     {"pixels", sums.pixels}, {"values", sums.values}, {"squares", sums.squares}};
  std::string bytes;
  Json::to_cbor(root, bytes);
  return bytes;
}

ShardRecord ShardRecord::from_bytes(const std::string& bytes) {
  const Json root = Json::from_cbor(bytes);
  ShardRecord record;
  record.shard = root.at("shard").get<std::int64_t>();
  record.digest = root.at("digest").get<std::string>();
  const Json& file = root.at("entry");
  record.entry = {file.at(0).get<std::string>(), file.at(1).get<std::int64_t>(), file.at(2).get<std::int64_t>(),
                  file.at(3).get<std::string>()};
  const auto sizes = root.at("sizes").get<std::vector<std::int32_t>>();
  for (std::size_t at = 0; at + 1 < sizes.size(); at += 2)
    record.outcomes.push_back({sizes[at], sizes[at + 1], "", {}});
  const auto prints = root.at("prints").get<std::vector<std::uint64_t>>();
  if (prints.size() != record.outcomes.size() * print_words) throw std::out_of_range("fingerprints");
  for (std::size_t at = 0; at < record.outcomes.size(); ++at)
    record.outcomes[at].fingerprint = print_from(std::span(prints).subspan(at * print_words).first<print_words>());
  for (const Json& refusal : root.at("refusals")) {
    record.outcomes.at(refusal[0].get<std::size_t>()).refusal = refusal[1].get<std::string>();
  }
  record.sums = {root.at("pixels").get<std::int64_t>(), root.at("values").get<std::array<std::int64_t, 3>>(),
                 root.at("squares").get<std::array<std::int64_t, 3>>()};
  return record;
}

}  // namespace lockstep::preprocess
