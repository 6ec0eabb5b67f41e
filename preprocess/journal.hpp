// What an unfinished packing has done so far: the folder .packing/ in its output, by which the same command goes on.
//
//   .packing/settings.json        the settings that it was begun with
//   .packing/train-00012.record   one finished shard (shard_record.hpp), written after the shard itself
//   .packing/owner.json           who packs at the moment (output_claim.hpp), which is not the journal's
//
// Every file is written atomically, so a kill at any moment leaves whole records of whole shards. A record counts only
// if its digest is that of the shard that would be packed now (plan.hpp: images by path and time of change, settings),
// and the shard's file has the recorded size; shards of images that have changed meanwhile are packed again. The folder
// goes when the manifest is there and the claim has ended. keep() may be called by every rank, the rest by rank 0 alone. Errors: those of
// files; unreadable records are passed over.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "preprocess/shard_record.hpp"

namespace lockstep::preprocess {

class Journal {
 public:
  explicit Journal(const std::filesystem::path& output);

  /// What the unfinished packing was begun with; none: there is none.
  std::optional<std::map<std::string, std::string>> settings() const;
  void begin(const std::map<std::string, std::string>& settings) const;
  /// The shard is published.
  void keep(const ShardPlan& shard, const ShardRecord& record) const;
  /// Finished shards of this plan. Records of other shards, and of shards that have to be packed again, are removed.
  std::vector<ShardRecord> finished(const Plan& plan, const PackSettings& settings) const;
  /// How many shards have a record.
  std::int64_t records() const;
  void remove() const noexcept;

 private:
  std::filesystem::path record_of(const ShardPlan& shard) const;

  std::filesystem::path output_, folder_;
};

inline constexpr const char* journal_folder = ".packing";

}  // namespace lockstep::preprocess
