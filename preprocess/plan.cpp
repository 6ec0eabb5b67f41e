#include "preprocess/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "preprocess/packed_numbers.hpp"

namespace lockstep::preprocess {
namespace {

using SplitMembers = std::map<std::string, std::vector<std::int64_t>, bool (*)(const std::string&, const std::string&)>;

std::tuple<int, std::string> split_key(const std::string& name) {
  const int place = name == "train" ? 0 : name == "validation" ? 1 : name == "test" ? 2 : 3;
  return {place, name};
}

ImageShape shape_of(const Listing& listing, const PackSettings& settings) {
  if (settings.side > 0) return {settings.side, settings.side, settings.channels};
  return {listing.height, listing.width, settings.channels};
}

void add_shards(std::vector<ShardPlan>& shards, const std::string& split, const std::vector<std::int64_t>& members,
                std::size_t per_shard, std::size_t number) {
  for (std::size_t first = 0; first < members.size(); first += per_shard, ++number) {
    const auto begin = members.begin() + static_cast<std::ptrdiff_t>(first);
    const auto count = static_cast<std::ptrdiff_t>(std::min(per_shard, members.size() - first));
    shards.push_back({split, fmt::format("shards/{}-{:05}.h5", split, number), {begin, begin + count}});
  }
}

std::size_t images_per_shard(const Plan& plan, const PackSettings& settings) {
  return static_cast<std::size_t>(std::max<std::int64_t>(1, settings.shard_bytes / plan.format.shape.bytes()));
}

/// Behind all files of the split: shards without a sample are in no manifest, so their numbers may have gaps.
std::size_t next_number(const SplitEntry* there) {
  std::size_t next = 0;
  if (there == nullptr) return next;
  for (const ShardEntry& shard : there->shards) {
    const std::string stem = std::filesystem::path(shard.file).stem().string();
    std::size_t number = 0;
    std::from_chars(stem.data() + stem.rfind('-') + 1, stem.data() + stem.size(), number);
    next = std::max(next, number + 1);
  }
  return next;
}

SplitCounts counts_of(const std::vector<ImageRow>& rows) {
  SplitCounts counts;
  for (const ImageRow& row : rows) {
    if (row.status == ImageStatus::ok) ++counts[row.label][row.split];
  }
  return counts;
}

/// The shares that are still to be cut: none of a split that the source gives to any image.
SplitShares open_shares(const std::vector<Candidate>& candidates, SplitShares shares) {
  const auto given = [&](const char* split) {
    return std::ranges::any_of(candidates, [&](const Candidate& candidate) {
      return candidate.refusal.empty() && candidate.given_split == split;
    });
  };
  if (given("validation")) return {0, 0};
  if (given("test")) shares.test = 0;
  return shares;
}

}  // namespace

std::int64_t Plan::images() const {
  std::int64_t images = 0;
  for (const ShardPlan& shard : shards) images += std::ssize(shard.candidates);
  return images;
}

std::uint64_t Plan::disk_bytes(const std::vector<std::int64_t>& some_shards) const {
  constexpr std::uint64_t label_and_id = 12, table_row = 350, file_overhead = 16384;
  // Photographs of 256 × 256 pixels take a tenth at quality 90, a sixth at 95, a third at 100 (2026-11-21).
  constexpr std::uint64_t jpeg_share = 4;
  const auto image = static_cast<std::uint64_t>(format.shape.bytes()) / (format.store == Store::jpeg ? jpeg_share : 1);
  std::uint64_t samples = 0;
  for (const std::int64_t shard : some_shards) samples += shards[static_cast<std::size_t>(shard)].candidates.size();
  return samples * (image + label_and_id) + some_shards.size() * file_overhead + listing.candidates.size() * table_row +
         file_overhead;
}

std::string Plan::to_bytes() const {
  nlohmann::json list = nlohmann::json::array();
  for (const ShardPlan& shard : shards) list.push_back({shard.split, shard.file, packed(shard.candidates)});
  const nlohmann::json root = {
      {"listing", listing.to_bytes()},
      {"ids", packed(ids)},
      {"format", {format.shape.height, format.shape.width, format.shape.channels}},
      {"jpeg", format.store == Store::jpeg},
      {"weighted", format.weighted},
      {"shards", list},
  };
  std::string bytes;
  nlohmann::json::to_cbor(root, bytes);
  return bytes;
}

Plan Plan::from_bytes(const std::string& bytes) {
  const nlohmann::json root = nlohmann::json::from_cbor(bytes);
  Plan plan;
  plan.listing = Listing::from_bytes(root.at("listing").get_ref<const std::string&>());
  plan.ids = unpacked<std::int64_t>(root.at("ids"));
  const auto shape = root.at("format").get<std::vector<std::int64_t>>();
  plan.format = {{shape.at(0), shape.at(1), shape.at(2)},
                 root.at("jpeg").get<bool>() ? Store::jpeg : Store::raw,
                 root.at("weighted").get<bool>()};
  for (const nlohmann::json& shard : root.at("shards")) {
    plan.shards.push_back({shard[0].get<std::string>(), shard[1].get<std::string>(), unpacked<std::int64_t>(shard[2])});
  }
  return plan;
}

Plan make_plan(Listing listing, const PackSettings& settings) {
  Plan plan;
  plan.format.shape = shape_of(listing, settings);
  plan.splits = assign_splits(listing.candidates, settings.shares, settings.seed);
  plan.format.weighted = listing.weighted;
  plan.listing = std::move(listing);
  SplitMembers members(split_before);
  for (std::size_t number = 0; number < plan.splits.size(); ++number) {
    const SharedText& split = plan.splits[number];
    if (!split.empty()) members[split].push_back(static_cast<std::int64_t>(number));
  }
  if (!members.contains("train") && !plan.listing.classes.empty())
    throw Error("no image to train on", settings.input.string(), "check --input and --folder-as");
  for (const auto& [split, candidates] : members)
    add_shards(plan.shards, split, candidates, images_per_shard(plan, settings), 0);
  return plan;
}

Plan make_added_plan(Listing listing, const PackSettings& settings, const Manifest& before,
                     const std::vector<ImageRow>& rows) {
  std::unordered_map<std::string_view, std::int64_t> known;  // path → id
  for (std::size_t id = 0; id < rows.size(); ++id) known[rows[id].path] = static_cast<std::int64_t>(id);
  Plan plan;
  plan.format = before.shard_format();
  plan.listing = std::move(listing);
  std::vector<Candidate> fresh;
  std::vector<std::int64_t> numbers;  // [fresh] in the listing
  for (const Candidate& candidate : plan.listing.candidates) {
    const auto row = known.find(candidate.path);
    const bool old = row != known.end();
    if (!old) numbers.push_back(std::ssize(plan.ids));
    if (!old) fresh.push_back(candidate);
    plan.ids.push_back(old ? row->second : std::ssize(rows) + std::ssize(fresh) - 1);
    plan.splits.push_back(old ? rows[static_cast<std::size_t>(row->second)].split : SharedText());
  }
  const SplitShares shares = open_shares(plan.listing.candidates, settings.shares);
  const std::vector<SharedText> splits = assign_splits(fresh, shares, settings.seed, counts_of(rows));
  SplitMembers members(split_before);
  for (std::size_t i = 0; i < splits.size(); ++i) {
    plan.splits[static_cast<std::size_t>(numbers[i])] = splits[i];
    if (!splits[i].empty()) members[splits[i]].push_back(numbers[i]);
  }
  for (const auto& [split, candidates] : members) {
    add_shards(plan.shards, split, candidates, images_per_shard(plan, settings), next_number(before.find_split(split)));
  }
  return plan;
}

Listing with_labels_of(Listing listing, const std::vector<std::string>& classes) {
  std::vector<std::string> all = classes;
  std::vector<std::int32_t> labels;  // [label in the listing]
  for (const std::string& name : listing.classes) {
    const auto found = std::ranges::find(all, name);
    labels.push_back(static_cast<std::int32_t>(found - all.begin()));
    if (found == all.end()) all.push_back(name);
  }
  for (Candidate& candidate : listing.candidates) {
    if (candidate.label >= 0) candidate.label = labels[static_cast<std::size_t>(candidate.label)];
  }
  listing.classes = std::move(all);
  return listing;
}

std::string shard_digest(const Plan& plan, const ShardPlan& shard, const PackSettings& settings) {
  Digest digest;
  digest.add(Manifest::format_version).add(shard.file);
  digest.add(plan.format.shape.height).add(plan.format.shape.width).add(plan.format.shape.channels);
  digest.add(plan.format.store == Store::jpeg ? settings.quality : 0).add(plan.format.weighted);
  digest.add(static_cast<int>(settings.source)).add(static_cast<int>(settings.fit)).add(settings.most_pixels);
  digest.add(settings.seed).add(settings.classes);  // of generated pictures
  for (const std::int64_t number : shard.candidates) {
    const Candidate& candidate = plan.listing.candidates[static_cast<std::size_t>(number)];
    digest.add(plan.id_of(number)).add(candidate.path).add(candidate.modified);
    digest.add(candidate.bytes).add(candidate.label).add(candidate.weight);
  }
  return digest.hex();
}

bool split_before(const std::string& a, const std::string& b) { return split_key(a) < split_key(b); }

}  // namespace lockstep::preprocess
