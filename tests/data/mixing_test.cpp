#include "lockstep/data/mixing.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lockstep {
namespace {

constexpr std::int64_t side = 6, channels = 3;
constexpr std::size_t size = side * side * channels;

template <typename Value>
std::vector<Value> picture(int start) {
  std::vector<Value> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<Value>((start + 7 * static_cast<int>(i)) % 256);
  return values;
}

TEST(MixUp, IsTheWeightedSumOfBothAsTheyWere) {
  const auto a = picture<float>(1), b = picture<float>(90);
  auto mixed_a = a, mixed_b = b;
  mix_both<float>(mixed_a, {0.25f}, mixed_b, {0.75f}, side);
  for (std::size_t i = 0; i < size; ++i) {
    EXPECT_FLOAT_EQ(mixed_a[i], 0.25f * a[i] + 0.75f * b[i]);
    EXPECT_FLOAT_EQ(mixed_b[i], 0.75f * b[i] + 0.25f * a[i]);
  }
}

TEST(MixUp, RoundsBytesToNearest) {
  std::vector<std::uint8_t> own(size, 10), other(size, 13);
  mix_one<std::uint8_t>(own, {0.5f}, other, side);
  EXPECT_EQ(own[0], 12) << "11.5 upwards";
  mix_one<std::uint8_t>(own, {1.0f}, other, side);
  EXPECT_EQ(own[0], 12);
}

TEST(CutMix, TakesTheBoxAndNothingElse) {
  const auto a = picture<std::uint8_t>(1), b = picture<std::uint8_t>(90);
  const Mix box{1 - 6.0f / 36, 1, 2, 3, 5};
  auto cut = a;
  mix_one<std::uint8_t>(cut, box, b, side);
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const bool inside = y >= 1 && y < 3 && x >= 2 && x < 5;
      for (std::int64_t c = 0; c < channels; ++c) {
        const auto i = static_cast<std::size_t>((y * side + x) * channels + c);
        EXPECT_EQ(cut[i], inside ? b[i] : a[i]);
      }
    }
  }
}

/// A pair on one rank must come out as the same pair cut in two by a rank's border.
template <typename Value>
void expect_same_by_either_way(const Mix& of_a, const Mix& of_b) {
  const auto a = picture<Value>(5), b = picture<Value>(77);
  auto both_a = a, both_b = b, one_a = a, one_b = b;
  mix_both<Value>(both_a, of_a, both_b, of_b, side);
  mix_one<Value>(one_a, of_a, b, side);
  mix_one<Value>(one_b, of_b, a, side);
  EXPECT_EQ(both_a, one_a);
  EXPECT_EQ(both_b, one_b);
}

TEST(Mixing, IsTheSameBitsForPairsAndForSingles) {
  const Mix up{0.3f}, cut{0.5f, 0, 1, 4, 6}, none{};
  for (const Mix& of_a : {up, cut, none}) {
    for (const Mix& of_b : {up, cut, none}) {
      expect_same_by_either_way<float>(of_a, of_b);
      expect_same_by_either_way<std::uint8_t>(of_a, of_b);
    }
  }
}

double mean_own(const MixConfig& config, double& square) {
  double sum = 0;
  square = 0;
  for (std::int64_t id = 0; id < 20000; ++id) {
    const double own = draw_mix(config, 1, 0, id, 0, 224).own;
    sum += own;
    square += own * own;
  }
  square /= 20000;
  return sum / 20000;
}

TEST(MixDraws, FollowTheBetaDistribution) {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    double square = 0;
    const double mean = mean_own({alpha, 0, 1}, square);
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(mean, 0.5, 5 * std::sqrt(variance / 20000));
    EXPECT_NEAR(square - mean * mean, variance, 0.03 * variance) << alpha;
  }
}

TEST(MixDraws, CutBoxesOfTheShareThatTheTargetSays) {
  const MixConfig config{0, 1, 1};
  int cuts = 0;
  for (std::int64_t id = 0; id < 1000; ++id) {
    const Mix mix = draw_mix(config, 1, 0, id, 0, 32);
    if (!mix.cuts()) {
      EXPECT_EQ(mix.own, 1);
      continue;
    }
    ++cuts;
    EXPECT_GE(mix.top, 0);
    EXPECT_LE(mix.bottom, 32);
    EXPECT_GE(mix.left, 0);
    EXPECT_LE(mix.right, 32);
    EXPECT_FLOAT_EQ(mix.own, 1 - static_cast<float>((mix.bottom - mix.top) * (mix.right - mix.left)) / 1024);
  }
  EXPECT_GT(cuts, 950);
}

TEST(MixDraws, DependOnEpochSampleAndCopyAlone) {
  const MixConfig config{1, 0, 1};
  EXPECT_EQ(draw_mix(config, 1, 2, 3, 0, 32), draw_mix(config, 1, 2, 3, 0, 32));
  EXPECT_NE(draw_mix(config, 1, 2, 3, 0, 32), draw_mix(config, 1, 2, 3, 1, 32));
  EXPECT_NE(draw_mix(config, 1, 2, 3, 0, 32), draw_mix(config, 1, 3, 3, 0, 32));
  EXPECT_NE(draw_mix(config, 1, 2, 3, 0, 32), draw_mix(config, 1, 2, 4, 0, 32));
}

TEST(MixDraws, MixTheShareOfSamplesThatWasAskedFor) {
  int mixed = 0, cut = 0;
  for (std::int64_t id = 0; id < 10000; ++id) {
    const Mix mix = draw_mix({1, 1, 0.4}, 1, 0, id, 0, 64);
    mixed += mix.own != 1;
    cut += mix.cuts();
  }
  EXPECT_NEAR(mixed, 4000, 250);
  EXPECT_NEAR(cut, 2000, 250);
}

}  // namespace
}  // namespace lockstep
