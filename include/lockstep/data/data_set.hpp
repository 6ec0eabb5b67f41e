// One split of a packed data set, or several joined ("train+validation"): shards seen as a single indexed sequence.
//
// Position p runs over the split's samples in shard order, joined splits one after the other. Memory: 12 bytes a sample
// (labels, ids) on every rank. read() and the getters may be called from any number of threads. Errors: those of Shard;
// a split that is not there.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/manifest.hpp"
#include "lockstep/data/shard.hpp"
#include "lockstep/data/step_plan.hpp"
#include "lockstep/data/stored_samples.hpp"

namespace lockstep {

/// The splits that a name joined by + stands for. Errors: an empty name, the same one twice.
std::vector<std::string> joined_splits(std::string_view split);

class DataSplit : public StoredSamples {
 public:
  /// Opens and checks all shards of `split`, which joined_splits() understands. `manifest` comes from rank 0; the
  /// shards are read by every rank. With CachePolicy::none the system is told to forget what has been read.
  DataSplit(const std::filesystem::path& folder, const Manifest& manifest, std::string_view split,
            CachePolicy cache = CachePolicy::page);

  const std::string& name() const { return name_; }
  std::int64_t samples() const { return first_.back(); }
  ImageShape shape() const override { return format_.shape; }
  Store store() const override { return format_.store; }
  std::int64_t label(std::int64_t position) const;
  std::int64_t id(std::int64_t position) const;
  /// 1 where samples have no weights.
  float weight(std::int64_t position) const;
  std::size_t stored_bytes(std::int64_t position) const override;
  void read(std::int64_t position, std::span<std::uint8_t> into, std::uint64_t first = 0) const override;
  std::string whereabouts(std::int64_t position) const override;
  void will_read(std::int64_t position) const override;
  void has_read(std::int64_t position) const override;

  /// Runs of neighbouring positions of one shard, at most `samples` long (>= 1), one after the other.
  std::vector<Range> blocks(std::int64_t samples) const;
  /// Where the stored bytes of a block lie in its shard's file: one piece.
  ByteRange block_bytes(const Range& block) const;
  /// Fills `into`, of block_bytes().bytes bytes.
  void read_block(const Range& block, std::span<std::uint8_t> into) const;

  /// All positions, ordered by sample id.
  std::vector<std::int64_t> positions_by_id() const;

 private:
  struct Place {
    std::size_t shard;
    std::int64_t index;
  };
  void add(const std::filesystem::path& folder, const Manifest& manifest, const std::string& name);
  Place place(std::int64_t position) const;

  std::string name_;
  ShardFormat format_;
  CachePolicy cache_;
  std::vector<Shard> shards_;
  std::vector<std::int64_t> first_;  // [shard] position of its first sample; one more: the end
};

}  // namespace lockstep
