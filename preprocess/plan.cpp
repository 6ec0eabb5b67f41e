#include "preprocess/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "lockstep/core/error.hpp"

namespace lockstep::preprocess {
namespace {

/// Orders splits as a reader expects them.
struct SplitOrder {
  static std::tuple<int, std::string> key(const std::string& name) {
    const int place = name == "train" ? 0 : name == "validation" ? 1 : name == "test" ? 2 : 3;
    return {place, name};
  }
  bool operator()(const std::string& a, const std::string& b) const { return key(a) < key(b); }
};

ImageShape shape_of(const Listing& listing, const PackSettings& settings) {
  if (settings.side > 0) return {settings.side, settings.side, settings.channels};
  return {listing.height, listing.width, settings.channels};
}

void add_shards(std::vector<ShardPlan>& shards, const std::string& split, const std::vector<std::int64_t>& ids,
                std::size_t per_shard) {
  for (std::size_t first = 0, number = 0; first < ids.size(); first += per_shard, ++number) {
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
    const auto count = static_cast<std::ptrdiff_t>(std::min(per_shard, ids.size() - first));
    shards.push_back({split, fmt::format("shards/{}-{:05}.h5", split, number), {begin, begin + count}});
  }
}

}  // namespace

std::int64_t Plan::images() const {
  std::int64_t images = 0;
  for (const ShardPlan& shard : shards) images += std::ssize(shard.ids);
  return images;
}

std::uint64_t Plan::disk_bytes() const {
  constexpr std::uint64_t label_and_id = 12, table_row = 250, file_overhead = 16384;
  const auto samples = static_cast<std::uint64_t>(images());
  // Photographs of 256 × 256 pixels take a tenth at quality 90, a sixth at 95, a third at 100 (2026-11-21).
  constexpr std::uint64_t jpeg_share = 4;
  const auto image = static_cast<std::uint64_t>(format.shape.bytes()) / (format.store == Store::jpeg ? jpeg_share : 1);
  return samples * (image + label_and_id) + shards.size() * file_overhead + listing.candidates.size() * table_row +
         file_overhead;
}

Plan make_plan(Listing listing, const PackSettings& settings) {
  Plan plan;
  plan.format.shape = shape_of(listing, settings);
  plan.splits = assign_splits(listing.candidates, settings.shares, settings.seed);
  plan.format.weighted = listing.weighted;
  plan.listing = std::move(listing);
  std::map<std::string, std::vector<std::int64_t>, SplitOrder> ids;
  for (std::size_t id = 0; id < plan.splits.size(); ++id) {
    if (!plan.splits[id].empty()) ids[plan.splits[id]].push_back(static_cast<std::int64_t>(id));
  }
  if (!ids.contains("train") && !plan.listing.classes.empty())
    throw Error("no image to train on", settings.input.string(), "check --input and --folder-as");
  const auto per_shard =
      static_cast<std::size_t>(std::max<std::int64_t>(1, settings.shard_bytes / plan.format.shape.bytes()));
  for (const auto& [split, members] : ids) add_shards(plan.shards, split, members, per_shard);
  return plan;
}

}  // namespace lockstep::preprocess
