// A copy of a data set's shards on a disk of this machine, for storage that is far away or shared by too many.
//
// Made once per machine, by one process. While copying, checksums are compared. The copy lies in a folder of its own
// below the one that the user named; once every process that reads it has opened it, its names are removed at once:
// the system keeps the bytes until the last of them ends, however it ends, so nothing stays behind. What a process that
// was killed while copying has left is removed by the next one on the same machine. Errors: too little space (checked
// before the first byte), unreadable or damaged shards, those of writing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "lockstep/core/process_folder.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// What the shards of these splits take on disk.
std::int64_t shard_bytes(const Manifest& manifest, std::span<const std::string> splits);

class StagedShards {
 public:
  /// Copies the shards of `splits` from `source` into a new folder below `stage`, which is made if need be.
  StagedShards(const std::filesystem::path& source, const Manifest& manifest, std::span<const std::string> splits,
               const std::filesystem::path& stage);

  /// Where the shards lie under the names of the manifest.
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  ProcessFolder folder_;  // its end removes the copy's names
  std::int64_t bytes_ = 0;
};

}  // namespace lockstep
