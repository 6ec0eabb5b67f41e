// One rank's part of packing: shard after shard from the foreman, each written in the background while the next one is
// decoded.
//
// Memory: two shards as they are stored, one picture per thread.
#pragma once
#include <filesystem>

#include "preprocess/foreman.hpp"
#include "preprocess/journal.hpp"

namespace lockstep::preprocess {

struct ShardLine {
  const Source& source;
  const Plan& plan;
  const PackSettings& settings;
  std::int64_t threads;
};

/// Packs until the foreman has no more. Each shard is published, then recorded in the journal, then told to the
/// foreman. Errors: the first refusal if strict, no space left …
void pack_shards(const ShardLine& line, const Journal& journal, Foreman& foreman);

}  // namespace lockstep::preprocess
