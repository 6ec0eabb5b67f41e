// The checksums of a data set's shards, compared in the background while training already goes on.
//
// Opening a shard checks its size and structure; that its pixels are those that were packed takes reading all of it.
// A thread that runs only where nobody else wants the processor or the disk does that once, this rank's part of the
// shards; the owner asks now and then. Time: one reading of part / parts of the data set. Errors: the first damaged or
// unreadable shard, thrown by rethrow().
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "lockstep/data/manifest.hpp"

namespace lockstep {

class ShardCheck {
 public:
  /// Checks every `parts`-th shard of these splits, beginning with number `part`. `keep_cached`: whether what it has
  /// read may stay in the page cache.
  ShardCheck(const std::filesystem::path& folder, const Manifest& manifest, std::span<const std::string> splits,
             int part, int parts, bool keep_cached);
  /// Ends within one block, checked or not.
  ~ShardCheck();

  /// Throws what has been found, once. From one thread.
  void rethrow();
  std::int64_t checked() const;  ///< shards so far
  std::int64_t shards() const;   ///< of this part

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
