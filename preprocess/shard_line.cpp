#include "preprocess/shard_line.hpp"

#include <future>

namespace lockstep::preprocess {
namespace {

/// The way of shards from decoded to published, for one rank.
class Publisher {
 public:
  Publisher(const ShardLine& line, const Journal& journal, Foreman& foreman)
      : line_(line), journal_(journal), foreman_(foreman) {}

  /// Waits for the shard before. A rank of one thread writes in that thread, so that it takes one core; with more the
  /// others would be idle meanwhile. Digest and disk are waited for in the background either way.
  void take(std::int64_t index, DecodedShard decoded) {
    wait();
    const bool background = line_.threads > 1;
    if (!background) written_ = write(index, decoded);
    publishing_ = std::async(std::launch::async, [this, index, background, content = std::move(decoded)]() mutable {
      if (background) written_ = write(index, content);
      content.pixels.reset();
      content.files.clear();
      publish(index, content);
    });
  }
  void wait() {
    if (publishing_.valid()) publishing_.get();
  }

 private:
  const ShardPlan& plan_of(std::int64_t index) const { return line_.plan.shards[static_cast<std::size_t>(index)]; }

  /// Nothing where no image is good.
  std::unique_ptr<ShardWriter> write(std::int64_t index, const DecodedShard& decoded) const {
    if (decoded.good() == 0) return nullptr;
    return write_shard(line_.settings.output, line_.plan, plan_of(index), decoded);
  }

  void publish(std::int64_t index, DecodedShard& decoded) {
    const ShardPlan& shard = plan_of(index);
    ShardRecord record{
        index, shard_digest(line_.plan, shard, line_.settings), std::move(decoded.outcomes), decoded.sums, {}};
    if (written_) record.entry = written_->finish();
    if (written_) record.entry.file = shard.file;
    written_.reset();
    journal_.keep(shard, record);
    foreman_.shard_done(record);
  }

  const ShardLine& line_;
  const Journal& journal_;
  Foreman& foreman_;
  std::unique_ptr<ShardWriter> written_;  // passed on from the writing to the publishing
  std::future<void> publishing_;          // the last member: it uses the others
};

}  // namespace

void pack_shards(const ShardLine& line, const Journal& journal, Foreman& foreman) {
  const PackSettings& settings = line.settings;
  const DecodeOptions options{line.threads, settings.fit, settings.quality, settings.most_pixels, settings.strict};
  Publisher publisher(line, journal, foreman);
  for (std::int64_t index = foreman.next(); index >= 0; index = foreman.next()) {
    const ShardPlan& shard = line.plan.shards[static_cast<std::size_t>(index)];
    publisher.take(index, decode_shard(line.source, line.plan, shard, options, [&] { foreman.image_done(); }));
  }
  publisher.wait();
}

}  // namespace lockstep::preprocess
