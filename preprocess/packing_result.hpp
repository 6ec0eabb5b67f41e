// Everything rank 0 learns about the images while packing goes on, and the table and manifest it makes of it.
//
// Starts from what the data set had before (--add), else from nothing. Shards may be told in any order: the result is
// the same. One thread at a time. Memory: the table's rows.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "lockstep/data/image_table.hpp"
#include "lockstep/data/manifest.hpp"
#include "preprocess/shard_record.hpp"

namespace lockstep::preprocess {

class PackingResult {
 public:
  /// `plan` stays with the caller; the rows take its splits. `before`, `rows`: of the data set that is there; empty:
  /// none is.
  PackingResult(Plan& plan, Manifest before, std::vector<ImageRow> rows);

  void add(const ShardRecord& record);
  /// Once all shards are told: duplicates that were left out have the bytes of the ones that were kept.
  void complete();
  const std::vector<ImageRow>& rows() const { return rows_; }
  Manifest manifest(std::map<std::string, std::string> settings) const;

 private:
  ImageRow& row_of(std::int64_t candidate);
  void add_shard(Manifest& manifest, const std::string& split, const ShardEntry& entry) const;
  void set_statistics(Manifest& manifest) const;
  void count_rows(Manifest& manifest) const;

  const Plan& plan_;
  const Manifest before_;
  std::vector<ImageRow> rows_;                  // [id]
  SharedTexts reasons_;                         // of refusals, many of which are the same
  std::map<std::int64_t, ShardEntry> entries_;  // shard's index in the plan → its entry
  ChannelSums pixels_;                          // of the training images; where there are no classes, of all
};

}  // namespace lockstep::preprocess
