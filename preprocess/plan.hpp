// Which image goes into which shard: a pure function of listing and settings and, for --add, of the data set that is
// there. Made on rank 0, the same for any number of ranks.
//
// A shard is a run of candidates of one split, as many as its raw bytes allow. A candidate that turns out to be damaged
// is left out of its shard and moves no other image, whose ids are row numbers of images.h5: so one pass over the
// images is enough, each shard is decoded for itself, and any number of ranks and threads writes the same bytes. Shards
// differ a little in their counts instead. Memory: the listing, and some 30 bytes a candidate while the plan is made, 8
// from then on (16 with --add), on every rank.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/data/image_table.hpp"
#include "lockstep/data/manifest.hpp"
#include "preprocess/settings.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

struct ShardPlan {
  std::string split;
  std::string file;                      ///< relative to the data set, "shards/train-00000.h5"
  std::vector<std::int64_t> candidates;  ///< numbers in the listing, their ids ascending
};

struct Plan {
  Listing listing;
  std::vector<SharedText> splits;  ///< [candidate]; empty on other ranks than 0, and once the table has them
  std::vector<std::int64_t> ids;   ///< [candidate]; empty: their numbers are their ids
  ShardFormat format;              ///< raw until choose_store() says otherwise
  std::vector<ShardPlan> shards;   ///< train first, then validation, test and others by name

  /// Of candidate `number`: its row of images.h5.
  std::int64_t id_of(std::int64_t number) const { return ids.empty() ? number : ids[static_cast<std::size_t>(number)]; }
  /// Images of all shards.
  std::int64_t images() const;
  /// Bytes that these shards and the table will need on disk, a little more than less; of JPEG files, a guess.
  std::uint64_t disk_bytes(const std::vector<std::int64_t>& some_shards) const;

  /// Bytes for World::broadcast, and back; without `splits`.
  std::string to_bytes() const;
  static Plan from_bytes(const std::string& bytes);
};

/// Errors: no image to train on; of unlabelled sources, no image at all.
Plan make_plan(Listing listing, const PackSettings& settings);

/// What --add will pack: the candidates that `rows` do not have, in shards numbered behind those of `before`, their ids
/// behind the rows. Splits that the source gives are kept; the others are cut by the rule of split.hpp, so that old and
/// new images together have the shares. `listing`: its labels are those of `before`, see with_labels_of().
Plan make_added_plan(Listing listing, const PackSettings& settings, const Manifest& before,
                     const std::vector<ImageRow>& rows);

/// The listing with its classes in the order of `classes`, new ones behind them, and its labels renumbered.
Listing with_labels_of(Listing listing, const std::vector<std::string>& classes);

/// Digest of all that decides about a shard's bytes: its images (by path, time of change, size, label, weight, id), the
/// format, and how images are decoded and fitted.
std::string shard_digest(const Plan& plan, const ShardPlan& shard, const PackSettings& settings);

/// Whether a split stands before another in a data set: train, validation, test, then the others by name.
bool split_before(const std::string& a, const std::string& b);

}  // namespace lockstep::preprocess
