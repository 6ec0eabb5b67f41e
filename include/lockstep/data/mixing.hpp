// Mix-up (Zhang et al., 2018) and cut-mix (Yun et al., 2019): a sample with a share of another one of its batch.
//
// Drawn for each sample as a function of (seed, epoch, id, copy), as everything else that happens to it; who its
// partner is follows from the places in the global batch (batch_plan.hpp), so any number of ranks mixes the same.
// Values are either float32 or uint8 (rounded to nearest), rows of interleaved channels. Pure functions; thread-safe.
#pragma once
#include <cstdint>
#include <span>

#include "lockstep/config/run_config.hpp"

namespace lockstep {

struct Mix {
  float own = 1;  ///< share of the sample itself, in its pixels and in its target
  /// Cut-mix: what lies inside comes from the partner; empty: mix-up.
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  bool cuts() const { return bottom > top && right > left; }
  bool operator==(const Mix&) const = default;
};

/// What happens to one sample of a `side`×`side` batch that has a partner.
Mix draw_mix(const MixConfig& config, std::uint64_t seed, std::int64_t epoch, std::int64_t id, std::int32_t copy,
             std::int64_t side);

/// Mixes two samples with each other, each by its own draw, both from what they were before.
template <typename Value>
void mix_both(std::span<Value> a, const Mix& of_a, std::span<Value> b, const Mix& of_b, std::int64_t side);
/// Mixes `other` into `own`.
template <typename Value>
void mix_one(std::span<Value> own, const Mix& mix, std::span<const Value> other, std::int64_t side);

}  // namespace lockstep
