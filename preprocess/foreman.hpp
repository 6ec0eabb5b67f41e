// Who packs which shard: handed out one by one while the ranks work, so that none waits for another.
//
// Rank 0 keeps the list and hears of everything; the other ranks ask it by letters (World::post). A rank asks for its
// next shard, tells of finished ones and of images done, and leaves when there is nothing left for it. After a failure
// on any rank no shard is handed out any more; what a rank has on its hands it still finishes. Memory: the list, and
// letters on their way.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/comm/world.hpp"
#include "lockstep/core/error.hpp"
#include "preprocess/shard_record.hpp"

namespace lockstep::preprocess {

class Foreman {
 public:
  virtual ~Foreman() = default;
  /// Index of the next shard in the plan; −1: none is left, or a rank has failed. One thread of a rank.
  virtual std::int64_t next() = 0;
  /// Tells of decoded images, now or a little later. Any thread; cheap enough for every image.
  virtual void image_done() = 0;
  /// The shard is published. Any thread.
  virtual void shard_done(const ShardRecord& record) = 0;
  /// This rank cannot go on.
  virtual void failed(const Error& error) = 0;
  /// This rank has finished everything. On rank 0 returns when all have left; then the first failure of any, if there
  /// was one (elsewhere nothing).
  virtual std::optional<Error> leave() = 0;
};

/// What rank 0 does with the news.
struct ForemanNews {
  /// Called by one thread at a time, not always the same.
  std::function<void(const ShardRecord&)> shard_done;
  /// Called by any number of threads at once: those that decode, and the one that hears of other ranks.
  std::function<void(std::int64_t)> images_done;
};

/// Called by every rank. `shards`, `news`: rank 0's, empty elsewhere; shards are handed out in that order.
std::unique_ptr<Foreman> make_foreman(World& world, std::vector<std::int64_t> shards, ForemanNews news);

}  // namespace lockstep::preprocess
