// Sums over the pixels of each channel, in integers: equal for any grouping of the images. A value.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep::preprocess {

struct ChannelSums {
  std::int64_t pixels = 0;
  std::array<std::int64_t, 3> values{}, squares{};

  /// `image`: rows of `channels` (1 or 3) interleaved channels.
  void add(std::span<const std::uint8_t> image, std::size_t channels);
  ChannelSums& operator+=(const ChannelSums& other);
  double mean(std::size_t channel) const;
  /// Of the population, 0 for a constant channel.
  double std(std::size_t channel) const;
};

}  // namespace lockstep::preprocess
