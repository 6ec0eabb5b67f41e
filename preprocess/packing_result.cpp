#include "preprocess/packing_result.hpp"

#include <algorithm>
#include <utility>

namespace lockstep::preprocess {
namespace {

ChannelSums sums_of(const Manifest& manifest) {
  ChannelSums sums;
  if (!manifest.sums) return sums;
  sums.pixels = manifest.sums->pixels;
  std::ranges::copy(manifest.sums->values, sums.values.begin());
  std::ranges::copy(manifest.sums->squares, sums.squares.begin());
  return sums;
}

ImageStatus status_of(const Listing& listing, std::int64_t number) {
  if (listing.duplicate_of.contains(number)) return ImageStatus::duplicate;
  return listing.candidates[static_cast<std::size_t>(number)].refusal.empty() ? ImageStatus::ok : ImageStatus::refused;
}

}  // namespace

PackingResult::PackingResult(Plan& plan, Manifest before, std::vector<ImageRow> rows)
    : plan_(plan), before_(std::move(before)), rows_(std::move(rows)), pixels_(sums_of(before_)) {
  const std::int64_t old = std::ssize(rows_), candidates = std::ssize(plan.listing.candidates);
  const std::vector<SharedText> splits = std::exchange(plan.splits, {});
  std::int64_t count = old;
  for (std::int64_t number = 0; number < candidates; ++number) count = std::max(count, plan.id_of(number) + 1);
  rows_.resize(static_cast<std::size_t>(count));
  for (std::int64_t number = 0; number < candidates; ++number) {
    if (plan.id_of(number) < old) continue;
    const Candidate& candidate = plan.listing.candidates[static_cast<std::size_t>(number)];
    rows_[static_cast<std::size_t>(plan.id_of(number))] = {candidate.path,
                                                           splits[static_cast<std::size_t>(number)],
                                                           candidate.label,
                                                           0,
                                                           0,
                                                           status_of(plan.listing, number),
                                                           candidate.refusal,
                                                           {},
                                                           candidate.modified};
  }
}

void PackingResult::add(const ShardRecord& record) {
  const ShardPlan& shard = plan_.shards.at(static_cast<std::size_t>(record.shard));
  for (std::size_t at = 0; at < shard.candidates.size(); ++at) {
    ImageRow& row = row_of(shard.candidates[at]);
    const Outcome& outcome = record.outcomes.at(at);
    row.width = outcome.width;
    row.height = outcome.height;
    row.fingerprint = outcome.fingerprint;
    if (outcome.refusal.empty()) continue;
    row.status = ImageStatus::refused;
    row.reason = reasons_(outcome.refusal);
    row.split = {};
  }
  if (shard.split == "train" || plan_.listing.classes.empty()) pixels_ += record.sums;
  if (record.entry.samples > 0) entries_[record.shard] = record.entry;
}

void PackingResult::complete() {
  for (const auto& [left_out, kept] : plan_.listing.duplicate_of) {
    ImageFingerprint& print = row_of(left_out).fingerprint;
    print.bytes = row_of(kept).fingerprint.bytes;
    print.content = row_of(kept).fingerprint.content;
  }
}

ImageRow& PackingResult::row_of(std::int64_t candidate) {
  return rows_[static_cast<std::size_t>(plan_.id_of(candidate))];
}

Manifest PackingResult::manifest(std::map<std::string, std::string> settings) const {
  Manifest manifest;
  manifest.classes = plan_.listing.classes;
  manifest.shape = plan_.format.shape;
  manifest.store = plan_.format.store;
  manifest.weighted = plan_.format.weighted;
  manifest.splits = before_.splits;
  set_statistics(manifest);
  for (const auto& [index, entry] : entries_)
    add_shard(manifest, plan_.shards[static_cast<std::size_t>(index)].split, entry);
  count_rows(manifest);
  manifest.settings = std::move(settings);
  return manifest;
}

void PackingResult::set_statistics(Manifest& manifest) const {
  PixelSums sums{pixels_.pixels, {}, {}};
  for (std::size_t c = 0; c < static_cast<std::size_t>(manifest.shape.channels); ++c) {
    manifest.mean.push_back(pixels_.mean(c));
    manifest.std.push_back(pixels_.std(c));
    sums.values.push_back(pixels_.values[c]);
    sums.squares.push_back(pixels_.squares[c]);
  }
  manifest.sums = std::move(sums);
}

void PackingResult::add_shard(Manifest& manifest, const std::string& split, const ShardEntry& entry) const {
  auto place = std::ranges::find(manifest.splits, split, &SplitEntry::name);
  if (place == manifest.splits.end()) {
    place =
        std::ranges::find_if(manifest.splits, [&](const SplitEntry& other) { return split_before(split, other.name); });
    place = manifest.splits.insert(place, {split, 0, {}, {}});
  }
  place->samples += entry.samples;
  place->shards.push_back(entry);
}

void PackingResult::count_rows(Manifest& manifest) const {
  std::map<std::string, SplitEntry*> splits;
  for (SplitEntry& split : manifest.splits) {
    split.class_counts.assign(manifest.classes.size(), 0);
    splits[split.name] = &split;
  }
  for (const ImageRow& row : rows_) {
    ++manifest.status_counts[std::string(name_of(row.status))];
    if (row.status == ImageStatus::ok && row.label >= 0)
      ++splits.at(row.split)->class_counts[static_cast<std::size_t>(row.label)];
  }
}

}  // namespace lockstep::preprocess
