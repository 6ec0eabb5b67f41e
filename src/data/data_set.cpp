#include "lockstep/data/data_set.hpp"

#include <algorithm>
#include <numeric>

#include "lockstep/core/error.hpp"

namespace lockstep {

std::vector<std::string> joined_splits(std::string_view split) {
  std::vector<std::string> names;
  while (true) {
    const std::size_t plus = std::min(split.find('+'), split.size());
    const std::string name(split.substr(0, plus));
    if (name.empty() || std::ranges::find(names, name) != names.end()) {
      throw usage_error(name.empty() ? "a split without a name" : "split '" + name + "' is joined to itself",
                        "--train-split", "such as train+validation");
    }
    names.push_back(name);
    if (plus == split.size()) return names;
    split.remove_prefix(plus + 1);
  }
}

DataSplit::DataSplit(const std::filesystem::path& folder, const Manifest& manifest, std::string_view split,
                     CachePolicy cache)
    : name_(split), format_(manifest.shard_format()), cache_(cache), first_{0} {
  for (const std::string& name : joined_splits(split)) add(folder, manifest, name);
}

void DataSplit::add(const std::filesystem::path& folder, const Manifest& manifest, const std::string& name) {
  const SplitEntry& entry = manifest.split(name);
  const std::int64_t before = samples();
  for (const ShardEntry& shard : entry.shards) {
    shards_.emplace_back(folder / shard.file, shard, format_, static_cast<std::int64_t>(manifest.classes.size()));
    first_.push_back(first_.back() + shards_.back().samples());
  }
  if (samples() - before != entry.samples) {
    throw Error("split '" + name + "' has " + std::to_string(samples() - before) + " samples in its shards, " +
                    std::to_string(entry.samples) + " in the manifest",
                folder.string(), "pack the data set again");
  }
}

DataSplit::Place DataSplit::place(std::int64_t position) const {
  const auto after = std::upper_bound(first_.begin(), first_.end(), position);
  const auto shard = static_cast<std::size_t>(after - first_.begin() - 1);
  return {shard, position - first_[shard]};
}

std::int64_t DataSplit::label(std::int64_t position) const {
  const Place at = place(position);
  return shards_[at.shard].label(at.index);
}

std::int64_t DataSplit::id(std::int64_t position) const {
  const Place at = place(position);
  return shards_[at.shard].id(at.index);
}

float DataSplit::weight(std::int64_t position) const {
  const Place at = place(position);
  return shards_[at.shard].weight(at.index);
}

std::size_t DataSplit::stored_bytes(std::int64_t position) const {
  const Place at = place(position);
  return shards_[at.shard].place(at.index).bytes;
}

void DataSplit::read(std::int64_t position, std::span<std::uint8_t> into, std::uint64_t first) const {
  const Place at = place(position);
  shards_[at.shard].read(at.index, into, first);
}

std::string DataSplit::whereabouts(std::int64_t position) const {
  const Place at = place(position);
  return shards_[at.shard].file().path().string() + ", sample " + std::to_string(shards_[at.shard].id(at.index));
}

void DataSplit::will_read(std::int64_t position) const {
  const Place at = place(position);
  const ByteRange bytes = shards_[at.shard].place(at.index);
  // What is locked in memory is there.
  if (cache_ != CachePolicy::ram) shards_[at.shard].file().will_need(bytes.offset, bytes.bytes);
}

void DataSplit::has_read(std::int64_t position) const {
  const Place at = place(position);
  const ByteRange bytes = shards_[at.shard].place(at.index);
  if (cache_ == CachePolicy::none) shards_[at.shard].file().will_not_need(bytes.offset, bytes.bytes);
}

std::vector<Range> DataSplit::blocks(std::int64_t samples) const {
  std::vector<Range> all;
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    const std::int64_t end = first_[shard + 1];
    for (std::int64_t begin = first_[shard]; begin < end; begin += samples)
      all.push_back({begin, std::min(end, begin + samples)});
  }
  return all;
}

ByteRange DataSplit::block_bytes(const Range& block) const {
  const Place at = place(block.begin);
  const ByteRange first = shards_[at.shard].place(at.index),
                  last = shards_[at.shard].place(at.index + block.size() - 1);
  return {first.offset, last.offset + last.bytes - first.offset};
}

void DataSplit::read_block(const Range& block, std::span<std::uint8_t> into) const {
  const RandomAccessFile& file = shards_[place(block.begin).shard].file();
  const ByteRange bytes = block_bytes(block);
  file.read(bytes.offset, into);
  if (cache_ == CachePolicy::none) file.will_not_need(bytes.offset, bytes.bytes);
}

std::vector<std::int64_t> DataSplit::positions_by_id() const {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(samples()));
  std::iota(positions.begin(), positions.end(), 0);
  std::sort(positions.begin(), positions.end(), [this](std::int64_t a, std::int64_t b) { return id(a) < id(b); });
  return positions;
}

}  // namespace lockstep
