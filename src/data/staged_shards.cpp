#include "lockstep/data/staged_shards.hpp"

#include <fmt/format.h>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/core/partial_file.hpp"
#include "lockstep/data/shard.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

void copy_shard(const fs::path& from, const fs::path& to, const ShardEntry& shard) {
  const RandomAccessFile source(from);
  PartialFile copy(to);
  Digest digest;
  source.read_through([&](std::uint64_t offset, std::span<const std::uint8_t> block) {
    digest.add(block);
    copy.append(block);
    source.will_not_need(offset, block.size());  // it is read from the copy from now on
    return true;
  });
  require_checksum(from, digest.hex(), shard);
  copy.publish();
}

}  // namespace

std::int64_t shard_bytes(const Manifest& manifest, std::span<const std::string> splits) {
  std::int64_t bytes = 0;
  for (const std::string& split : splits) {
    for (const ShardEntry& shard : manifest.split(split).shards) bytes += shard.bytes;
  }
  return bytes;
}

StagedShards::StagedShards(const fs::path& source, const Manifest& manifest, std::span<const std::string> splits,
                           const fs::path& stage)
    : folder_(stage), bytes_(shard_bytes(manifest, splits)) {
  const std::uint64_t available = free_bytes(stage);
  if (available < static_cast<std::uint64_t>(bytes_)) {
    throw Error(
        fmt::format("the shards take {} MiB, {} MiB are free on {}", (bytes_ >> 20) + 1, available >> 20, host_name()),
        "--stage " + stage.string(), "free space there, name another folder, or leave --stage out");
  }
  for (const std::string& split : splits) {
    for (const ShardEntry& shard : manifest.split(split).shards) {
      const fs::path copy = folder() / shard.file;
      make_folder(copy.parent_path());
      copy_shard(source / shard.file, copy, shard);
    }
  }
}

}  // namespace lockstep
