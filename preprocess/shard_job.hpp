// One shard's images, decoded by several threads into memory and then written: the unit of work of a rank.
//
// Memory: a shard's bytes as they will be stored (raw, or encoded as JPEG), plus one decoded picture per thread.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/data/image_fingerprint.hpp"
#include "lockstep/data/shard.hpp"
#include "preprocess/channel_sums.hpp"
#include "preprocess/plan.hpp"

namespace lockstep::preprocess {

/// What became of one candidate.
struct Outcome {
  std::int32_t width = 0, height = 0;  ///< of the source image; 0 if it could not be read
  std::string refusal;                 ///< empty: it is in the shard
  ImageFingerprint fingerprint{};      ///< none taken if refused
};

struct DecodedShard {
  std::vector<Outcome> outcomes;  ///< [position in ShardPlan::candidates]
  /// Store::raw: [position, height, width, channels]; refused ones are anything.
  std::unique_ptr<std::uint8_t[]> pixels;
  std::vector<std::vector<std::uint8_t>> files;  ///< Store::jpeg: [position]; refused ones are empty
  ChannelSums sums;                              ///< over the good images, before JPEG's loss

  std::int64_t good() const;
};

struct DecodeOptions {
  std::int64_t threads = 1;
  Fit fit = Fit::crop;
  int quality = 90;
  std::int64_t most_pixels = usual_most_pixels;
  bool strict = false;
};

/// What decoding asks of a source for a data set of this format.
PictureRequest picture_request(const ShardFormat& format, std::int64_t most_pixels);

/// Decodes all of a shard's candidates. `done` is called after each, from any thread. Errors: the first refusal if
/// strict.
DecodedShard decode_shard(const Source& source, const Plan& plan, const ShardPlan& shard, const DecodeOptions& options,
                          const std::function<void()>& done);

/// Writes the good images of a shard; at least one. What comes back has still to be finish()ed, which makes the shard
/// appear. Errors: no space left …; nothing stays.
std::unique_ptr<ShardWriter> write_shard(const std::filesystem::path& folder, const Plan& plan, const ShardPlan& shard,
                                         const DecodedShard& decoded);

}  // namespace lockstep::preprocess
