#include "preprocess/set_changes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/text.hpp"
#include "preprocess/shard_job.hpp"

namespace lockstep::preprocess {
namespace {

bool holds_the_same(const ImageRow& row, const Candidate& candidate, std::int64_t number, const Source& source,
                    const PictureRequest& request) {
  // A copy that keeps the times of files is seen by its size.
  const bool same_size = candidate.bytes == 0 || !row.fingerprint.taken() || candidate.bytes == row.fingerprint.bytes;
  if (row.modified == candidate.modified && same_size) return true;
  if (!candidate.refusal.empty()) return true;  // never read
  if (row.fingerprint.taken()) {
    const SourceBytes bytes = source.bytes_of(number, candidate, BytesWanted::all);
    return bytes.count == row.fingerprint.bytes && bytes.digest == row.fingerprint.content;
  }
  try {
    source.picture(number, candidate, request);
    return false;  // it was refused before
  } catch (const Refusal& refusal) {
    return row.reason == refusal.what();
  }
}

bool is_the_same(const ImageRow& row, const Candidate& candidate) {
  const bool split = candidate.given_split.empty() || row.split.empty() || row.split == candidate.given_split;
  const bool refusal = candidate.refusal.empty() || row.reason == candidate.refusal;
  return row.label == candidate.label && split && refusal;
}

}  // namespace

SettingTexts settings_that_count(SettingTexts summary, const ShardFormat& format) {
  // Where the input lies does not count, only what is in it; names of classes go into the manifest alone.
  for (const char* name : {"input", "images-folder", "class-names", "weights"}) summary.erase(name);
  summary["side"] = fmt::format("{} × {} × {}", format.shape.height, format.shape.width, format.shape.channels);
  summary["store"] = name_of(format.store);  // as chosen, whoever chose
  if (format.store == Store::raw) summary.erase("quality");
  return summary;
}

std::vector<std::string> differing_settings(const SettingTexts& before, const SettingTexts& now) {
  std::vector<std::string> texts;
  const auto value = [](const SettingTexts& settings, const std::string& name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string("not said") : found->second;
  };
  SettingTexts all = before;
  all.insert(now.begin(), now.end());
  for (const auto& [name, unused] : all) {
    const std::string old = value(before, name), fresh = value(now, name);
    if (old != fresh) texts.push_back(fmt::format("{} {}, now {}", name, old, fresh));
  }
  return texts;
}

std::string InputChanges::text() const {
  std::vector<std::string> parts;
  const auto add = [&](const char* what, const std::vector<std::string>& paths) {
    if (!paths.empty()) parts.push_back(fmt::format("{} {} ({})", paths.size(), what, first_of(paths, 3)));
  };
  add("new", fresh);
  add("gone", gone);
  add("changed", changed);
  return fmt::format("{}", fmt::join(parts, ", "));
}

InputChanges input_changes(const Manifest& manifest, const std::vector<ImageRow>& rows, const Listing& listing,
                           const Source& source, std::int64_t most_pixels) {
  const PictureRequest request = picture_request(manifest.shard_format(), most_pixels);
  std::unordered_map<std::string_view, const ImageRow*> known;
  for (const ImageRow& row : rows) known[row.path] = &row;
  InputChanges changes;
  for (std::size_t i = 0; i < listing.candidates.size(); ++i) {
    const Candidate& candidate = listing.candidates[i];
    const auto row = known.find(candidate.path);
    if (row == known.end()) {
      changes.fresh.push_back(candidate.path);
      continue;
    }
    if (!is_the_same(*row->second, candidate) ||
        !holds_the_same(*row->second, candidate, static_cast<std::int64_t>(i), source, request))
      changes.changed.push_back(candidate.path);
    known.erase(row);
  }
  for (const auto& [path, row] : known) changes.gone.emplace_back(path);
  std::ranges::sort(changes.gone);
  return changes;
}

std::string weights_digest(const Listing& listing, const std::vector<ImageRow>* rows) {
  std::unordered_set<std::string_view> wanted;
  if (rows != nullptr) {
    for (const ImageRow& row : *rows) wanted.insert(row.path);
  }
  std::vector<std::pair<std::string_view, float>> weights;
  for (const Candidate& candidate : listing.candidates) {
    if (rows == nullptr || wanted.contains(candidate.path)) weights.emplace_back(candidate.path, candidate.weight);
  }
  std::ranges::sort(weights);
  Digest digest;
  for (const auto& [path, weight] : weights) digest.add(path).add(weight);
  return digest.hex();
}

}  // namespace lockstep::preprocess
