// What a rank tells the others at the end of a round of packing, and its bytes on the way. A value.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "lockstep/core/error.hpp"
#include "preprocess/shard_job.hpp"

namespace lockstep::preprocess {

struct RoundReport {
  std::int64_t shard = -1;        ///< index into Plan::shards; −1: this rank had none in this round
  std::vector<Outcome> outcomes;  ///< [position in ShardPlan::ids]
  ChannelSums sums;               ///< over the shard's good images
  std::optional<Error> failure;   ///< why this rank cannot go on

  std::string to_bytes() const;
  static RoundReport from_bytes(const std::string& bytes);
};

}  // namespace lockstep::preprocess
