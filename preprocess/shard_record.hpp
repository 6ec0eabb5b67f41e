// All that is known of one finished shard, and its bytes on the way to rank 0 and in the journal. A value.
#pragma once
#include <string>
#include <vector>

#include "preprocess/shard_job.hpp"

namespace lockstep::preprocess {

struct ShardRecord {
  std::int64_t shard = -1;        ///< index into Plan::shards
  std::string digest;             ///< shard_digest() of what it was made from
  std::vector<Outcome> outcomes;  ///< [position in ShardPlan::candidates]
  ChannelSums sums;               ///< over the shard's good images
  ShardEntry entry;               ///< no samples: no image was good, and there is no file

  std::string to_bytes() const;
  /// Errors: those of nlohmann's library, where the bytes are no such record.
  static ShardRecord from_bytes(const std::string& bytes);
};

}  // namespace lockstep::preprocess
