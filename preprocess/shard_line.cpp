#include "preprocess/shard_line.hpp"

#include <future>

namespace lockstep::preprocess {
namespace {

ShardRecord publish(const ShardLine& line, std::int64_t index, const DecodedShard& decoded) {
  const ShardPlan& shard = line.plan.shards[static_cast<std::size_t>(index)];
  ShardRecord record{index, shard_digest(line.plan, shard, line.settings), decoded.outcomes, decoded.sums, {}};
  if (decoded.good() > 0) record.entry = write_shard(line.settings.output, line.plan, shard, decoded);
  return record;
}

}  // namespace

void pack_shards(const ShardLine& line, const Journal& journal, Foreman& foreman) {
  const PackSettings& settings = line.settings;
  const DecodeOptions options{line.threads, settings.fit, settings.quality, settings.most_pixels, settings.strict};
  std::future<void> writing;
  for (std::int64_t index = foreman.next(); index >= 0; index = foreman.next()) {
    const ShardPlan& shard = line.plan.shards[static_cast<std::size_t>(index)];
    DecodedShard decoded = decode_shard(line.source, line.plan, shard, options, [&] { foreman.image_done(); });
    if (writing.valid()) writing.get();
    writing = std::async(std::launch::async, [&, index, content = std::move(decoded)] {
      const ShardRecord record = publish(line, index, content);
      journal.keep(line.plan.shards[static_cast<std::size_t>(index)], record);
      foreman.shard_done(record);
    });
  }
  if (writing.valid()) writing.get();
}

}  // namespace lockstep::preprocess
