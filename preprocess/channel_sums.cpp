#include "preprocess/channel_sums.hpp"

#include <algorithm>
#include <cmath>

#include "lockstep/core/vector_clones.hpp"

namespace lockstep::preprocess {
namespace {

constexpr std::size_t lanes = 48;           // a whole number of pixels of 1 and of 3 channels, and of vectors
constexpr std::size_t most_groups = 65536;  // whose squares fit 32 bits: 255² · 65536 < 2³²

struct LaneSums {
  std::array<std::uint32_t, lanes> values{}, squares{};
};

LOCKSTEP_VECTOR void add_groups(const std::uint8_t* bytes, std::size_t groups, LaneSums& sums) {
  LaneSums local = sums;
  for (std::size_t group = 0; group < groups; ++group) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::uint32_t value = bytes[group * lanes + lane];
      local.values[lane] += value;
      local.squares[lane] += value * value;
    }
  }
  sums = local;
}

}  // namespace

void ChannelSums::add(std::span<const std::uint8_t> image, std::size_t channels) {
  pixels += static_cast<std::int64_t>(image.size() / channels);
  const std::size_t all_groups = image.size() / lanes;
  for (std::size_t first = 0; first < all_groups; first += most_groups) {
    LaneSums sums;
    add_groups(image.data() + first * lanes, std::min(most_groups, all_groups - first), sums);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      values[lane % channels] += sums.values[lane];
      squares[lane % channels] += sums.squares[lane];
    }
  }
  for (std::size_t i = all_groups * lanes; i < image.size(); ++i) {
    values[i % channels] += image[i];
    squares[i % channels] += image[i] * image[i];
  }
}

ChannelSums& ChannelSums::operator+=(const ChannelSums& other) {
  pixels += other.pixels;
  for (std::size_t c = 0; c < values.size(); ++c) {
    values[c] += other.values[c];
    squares[c] += other.squares[c];
  }
  return *this;
}

double ChannelSums::mean(std::size_t channel) const {
  return pixels == 0 ? 0 : static_cast<double>(values[channel]) / static_cast<double>(pixels);
}

double ChannelSums::std(std::size_t channel) const {
  if (pixels == 0) return 0;
  const double average = mean(channel);
  return std::sqrt(
      std::max(0.0, static_cast<double>(squares[channel]) / static_cast<double>(pixels) - average * average));
}

}  // namespace lockstep::preprocess
