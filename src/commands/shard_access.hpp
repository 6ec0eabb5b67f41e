// How a run gets at its shards: where it reads them, what it holds in memory, and that they are what was packed.
//
// All ranks make one together before the trainer opens the data set, and call opened() together after. One rank of each
// machine copies (--stage) or locks (--cache ram) for all of them. Internal to src/commands. Errors: those of
// StagedShards, LockedShards and ShardCheck, with the run's end.
#pragma once
#include <memory>

#include "lockstep/comm/world.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/locked_shards.hpp"
#include "lockstep/data/shard_check.hpp"
#include "lockstep/data/staged_shards.hpp"

namespace lockstep {

class ShardAccess {
 public:
  ShardAccess(const LoaderConfig& config, const Manifest& manifest, World& world, const Log& log);

  /// Where this rank reads the shards.
  const std::filesystem::path& folder() const { return folder_; }
  /// Every rank has opened all shards: from now on a copy needs no name, and the checksums are looked at.
  void opened();
  /// Throws what the check of the shards has found so far. Cheap: after every step, and after the last.
  void rethrow();
  /// What the check came to, for the end of a run; empty if there was none or all were looked at.
  std::string unchecked() const;

 private:
  void stage();
  void lock();

  const LoaderConfig& config_;
  const Manifest& manifest_;
  World& world_;
  const Log& log_;
  std::vector<std::string> splits_;
  std::filesystem::path folder_;
  std::unique_ptr<StagedShards> staged_;
  std::unique_ptr<LockedShards> locked_;
  std::unique_ptr<ShardCheck> check_;
};

}  // namespace lockstep
