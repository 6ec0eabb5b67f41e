#include "preprocess/near_duplicates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lockstep::preprocess {
namespace {

using Draws = std::mt19937_64;

Look random_look(Draws& draws) { return {draws(), draws(), draws(), draws()}; }

/// `look` with `count` of its bits from `first` on, fewer than `end`, turned.
Look turned(Look look, int count, int first, int end, Draws& draws) {
  std::vector<int> bits;
  for (int bit = first; bit < end; ++bit) bits.push_back(bit);
  std::ranges::shuffle(bits, draws);
  for (int i = 0; i < count; ++i) {
    const auto bit = static_cast<std::size_t>(bits[static_cast<std::size_t>(i)]);
    look[bit / 64] ^= std::uint64_t{1} << bit % 64;
  }
  return look;
}

std::vector<NearPair> by_comparing_all(const std::vector<Look>& looks, const NearLimits& limits) {
  std::vector<NearPair> pairs;
  for (std::uint32_t b = 0; b < looks.size(); ++b) {
    for (std::uint32_t a = 0; a < b; ++a) {
      const int nearest = bits_apart({looks[a][0], 0, 0, 0}, {looks[b][0], 0, 0, 0});
      const int bits = bits_apart(looks[a], looks[b]);
      if (nearest <= limits.nearest_bits && bits <= limits.bits) pairs.push_back({a, b, bits});
    }
  }
  return pairs;
}

TEST(NearDuplicates, BitsApartAreCounted) {
  EXPECT_EQ(bits_apart({0, 0, 0, 0}, {0, 0, 0, 0}), 0);
  EXPECT_EQ(bits_apart({0, 0, 0, 0}, {~std::uint64_t{0}, 1, std::uint64_t{1} << 63, 6}), 64 + 1 + 1 + 2);
}

TEST(NearDuplicates, AreThoseThatComparingAllWithAllFinds) {
  Draws draws(1);
  std::vector<Look> looks;
  for (int i = 0; i < 1500; ++i) {
    // Copies from well inside to well outside the limits, and their copies in turn.
    const bool copy = !looks.empty() && draws() % 3 != 0;
    const Look base = copy ? looks[draws() % looks.size()] : random_look(draws);
    const Look near = turned(base, copy ? static_cast<int>(draws() % 16) : 0, 0, 64, draws);
    looks.push_back(turned(near, copy ? static_cast<int>(draws() % 50) : 0, 64, 256, draws));
  }
  NearLimits limits;
  limits.links = looks.size();
  const std::vector<NearPair> expected = by_comparing_all(looks, limits);
  EXPECT_GT(expected.size(), 300u);
  for (const std::int64_t threads : {1, 2, 5}) {
    const NearPairs found = find_near_pairs(looks, threads, limits);
    EXPECT_EQ(found.pairs, expected) << threads;
    EXPECT_EQ(found.cut_short, 0);
  }
}

TEST(NearDuplicates, EveryPlaceOfElevenTurnedBitsIsFound) {
  Draws draws(2);
  for (int round = 0; round < 300; ++round) {
    const Look look = random_look(draws);
    const std::vector<Look> looks = {look, turned(look, 11, 0, 64, draws), turned(look, 12, 0, 64, draws)};
    const NearPairs found = find_near_pairs(looks, 1);
    EXPECT_TRUE(std::ranges::count(found.pairs, NearPair{0, 1, 11}) == 1) << round;
    EXPECT_TRUE(
        std::ranges::none_of(found.pairs, [](const NearPair& pair) { return pair.first == 0 && pair.second == 2; }));
  }
}

TEST(NearDuplicates, ACrowdOfAlikeOnesCostsNoMorePairsThanItNeeds) {
  Draws draws(3);
  const Look centre = random_look(draws);
  std::vector<Look> looks;
  for (int i = 0; i < 20000; ++i) looks.push_back(turned(centre, 5, 0, 256, draws));
  const NearPairs found = find_near_pairs(looks, 2);
  EXPECT_LE(found.pairs.size(), looks.size() * 4 * NearLimits{}.links);
  std::vector<bool> linked(looks.size());
  for (const NearPair& pair : found.pairs) linked[pair.second] = true;
  EXPECT_EQ(std::ranges::count(linked, true), std::ssize(looks) - 1);
}

TEST(NearDuplicates, SearchesAmongTooManyAreCutShortAndCounted) {
  Draws draws(4);
  std::vector<Look> looks;
  const std::uint64_t word = draws();
  for (int i = 0; i < 3000; ++i) looks.push_back({word, draws(), draws(), draws()});
  NearLimits limits;
  limits.comparisons = 500;
  const NearPairs found = find_near_pairs(looks, 2, limits);
  EXPECT_TRUE(found.pairs.empty());
  EXPECT_GT(found.cut_short, 10000);
  EXPECT_EQ(find_near_pairs(std::span(looks).first(50), 2, limits).cut_short, 0);
}

TEST(NearDuplicates, NoneOfNoneAndOfOne) {
  EXPECT_TRUE(find_near_pairs({}, 3).pairs.empty());
  const std::vector<Look> one(1);
  EXPECT_TRUE(find_near_pairs(one, 3).pairs.empty());
}

}  // namespace
}  // namespace lockstep::preprocess
