#include "preprocess/shard_job.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "lockstep/core/error.hpp"
#include "preprocess/fingerprint.hpp"
#include "preprocess/jpeg_encoder.hpp"

namespace lockstep::preprocess {
namespace {

/// Decoding of one shard, shared by its threads: each takes the next candidate and fills that candidate's own place.
class ShardDecoder {
 public:
  ShardDecoder(const Source& source, const Plan& plan, const ShardPlan& shard, const DecodeOptions& options,
               const std::function<void()>& done)
      : source_(source), plan_(plan), shard_(shard), options_(options), done_(done) {
    result_.outcomes.resize(shard.candidates.size());
    if (plan.format.store == Store::jpeg) {
      result_.files.resize(shard.candidates.size());
    } else {
      result_.pixels = std::make_unique_for_overwrite<std::uint8_t[]>(shard.candidates.size() * image_bytes());
    }
  }

  DecodedShard run() {
    std::vector<std::jthread> others;  // joined also if the system refuses one more
    for (std::int64_t i = 1; i < options_.threads; ++i) others.emplace_back([this] { work(); });
    work();
    others.clear();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_);
  }

 private:
  void work() noexcept {
    try {
      ChannelSums sums;
      for (std::size_t at = next_++; at < shard_.candidates.size() && !stop_; at = next_++) {
        decode(at, sums);
        done_();
      }
      const std::lock_guard lock(mutex_);
      result_.sums += sums;
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stop_ = true;
    }
  }

  void decode(std::size_t at, ChannelSums& sums) {
    Outcome& outcome = result_.outcomes[at];
    const Candidate& candidate = plan_.listing.candidates[static_cast<std::size_t>(shard_.candidates[at])];
    try {
      Picture picture = source_.picture(shard_.candidates[at], candidate, request());
      const cv::Mat fitted = fit_picture(picture.pixels, request().size, options_.fit);
      outcome.width = picture.width;
      outcome.height = picture.height;
      outcome.fingerprint = take_fingerprint(picture);
      sums.add({fitted.data, image_bytes()}, static_cast<std::size_t>(plan_.format.shape.channels));
      if (plan_.format.store == Store::raw) {
        std::memcpy(result_.pixels.get() + at * image_bytes(), fitted.data, image_bytes());
      } else {
        result_.files[at] = picture.jpeg.empty() ? encode_jpeg(fitted, options_.quality) : std::move(picture.jpeg);
      }
    } catch (const Refusal& refusal) {
      outcome.refusal = refusal.what();
      if (!options_.strict) return;
      throw Error("an image cannot be used: " + outcome.refusal, candidate.path,
                  "repair or remove it; without --strict it would be recorded and left out");
    }
  }

  PictureRequest request() const { return picture_request(plan_.format, options_.most_pixels); }
  std::size_t image_bytes() const { return static_cast<std::size_t>(plan_.format.shape.bytes()); }

  const Source& source_;
  const Plan& plan_;
  const ShardPlan& shard_;
  const DecodeOptions& options_;
  const std::function<void()>& done_;
  DecodedShard result_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;  // guards failure_ and result_.sums
  std::exception_ptr failure_;
};

}  // namespace

PictureRequest picture_request(const ShardFormat& format, std::int64_t most_pixels) {
  const cv::Size size(static_cast<int>(format.shape.width), static_cast<int>(format.shape.height));
  // Twice the side is decoded at least: area averaging from there looks like averaging from the full picture.
  const int least_side = 2 * std::max(size.width, size.height);
  return {static_cast<int>(format.shape.channels), least_side, size, format.store == Store::jpeg, most_pixels};
}

std::int64_t DecodedShard::good() const {
  return std::ranges::count_if(outcomes, [](const Outcome& outcome) { return outcome.refusal.empty(); });
}

DecodedShard decode_shard(const Source& source, const Plan& plan, const ShardPlan& shard, const DecodeOptions& options,
                          const std::function<void()>& done) {
  return ShardDecoder(source, plan, shard, options, done).run();
}

std::unique_ptr<ShardWriter> write_shard(const std::filesystem::path& folder, const Plan& plan, const ShardPlan& shard,
                                         const DecodedShard& decoded) {
  const bool raw = plan.format.store == Store::raw;
  ShardIndex index;
  for (std::size_t at = 0; at < shard.candidates.size(); ++at) {
    if (!decoded.outcomes[at].refusal.empty()) continue;
    const auto number = static_cast<std::size_t>(shard.candidates[at]);
    index.add(plan.listing.candidates[number].label, plan.id_of(shard.candidates[at]));
    if (plan.format.weighted) index.weights.push_back(plan.listing.candidates[number].weight);
    if (!raw) index.ends.push_back(index.ends.back() + std::ssize(decoded.files[at]));
  }
  auto writer = std::make_unique<ShardWriter>(folder / shard.file, index, plan.format);
  const auto image_bytes = static_cast<std::size_t>(plan.format.shape.bytes());
  for (std::size_t at = 0; at < shard.candidates.size(); ++at) {
    if (!decoded.outcomes[at].refusal.empty()) continue;
    writer->add(raw ? std::span<const std::uint8_t>(decoded.pixels.get() + at * image_bytes, image_bytes)
                    : std::span<const std::uint8_t>(decoded.files[at]));
  }
  return writer;
}

}  // namespace lockstep::preprocess
