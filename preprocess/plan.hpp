// Which image goes into which shard: a pure function of listing and settings, so all ranks have the same plan unasked.
//
// A shard is a run of candidates of one split, as many as its raw bytes allow. A candidate that turns out to be damaged
// is left out of its shard and moves no other image: so one pass over the images is enough, each rank decodes its
// shards alone, and any number of ranks and threads writes the same bytes. Shards differ a little in their counts
// instead.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/data/manifest.hpp"
#include "preprocess/settings.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

struct ShardPlan {
  std::string split;
  std::string file;               ///< relative to the data set, "shards/train-00000.h5"
  std::vector<std::int64_t> ids;  ///< candidates, ascending
};

struct Plan {
  Listing listing;
  std::vector<std::string> splits;  ///< [id]
  ShardFormat format;               ///< raw until choose_store() says otherwise
  std::vector<ShardPlan> shards;    ///< train first, then validation, test and others by name

  /// Images that will be decoded.
  std::int64_t images() const;
  /// Bytes that the data set will need on disk, a little more than less; of JPEG files, a guess.
  std::uint64_t disk_bytes() const;
};

/// Errors: no image to train on; of unlabelled sources, no image at all.
Plan make_plan(Listing listing, const PackSettings& settings);

}  // namespace lockstep::preprocess
