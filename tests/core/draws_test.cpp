#include "lockstep/core/draws.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace lockstep {
namespace {

TEST(Philox, GivesTheAuthorsKnownAnswers) {
  // kat_vectors of the Random123 distribution, "philox4x32 10".
  EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Draws, AreFunctionsOfTheirCoordinates) {
  Draws a(5, Purpose::augmentation, 3, 7), b(5, Purpose::augmentation, 3, 7);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(Draws, DifferInEveryCoordinate) {
  const std::set<std::uint64_t> firsts{Draws(5, Purpose::augmentation, 3, 7).next(),
                                       Draws(6, Purpose::augmentation, 3, 7).next(),
                                       Draws(5, Purpose::dropout, 3, 7).next(),
                                       Draws(5, Purpose::augmentation, 4, 7).next(),
                                       Draws(5, Purpose::augmentation, 3, 8).next(),
                                       Draws(5, Purpose::augmentation, 7, 3).next(),
                                       Draws(5 + (1ull << 40), Purpose::augmentation, 3, 7).next()};
  EXPECT_EQ(firsts.size(), 7u);
}

TEST(Draws, AreUniformOverNeighbouringCoordinates) {
  // 40,000 first draws of neighbouring samples in 20 bins: χ² with 19 degrees of freedom stays below 50 but once in
  // 10⁴.
  std::vector<double> bins(20);
  for (std::uint64_t sample = 0; sample < 40000; ++sample) {
    ++bins[static_cast<std::size_t>(Draws(1, Purpose::shuffle, 0, sample).uniform() * 20)];
  }
  double chi_square = 0;
  for (const double count : bins) chi_square += (count - 2000) * (count - 2000) / 2000;
  EXPECT_LT(chi_square, 50);
}

TEST(Draws, BelowReachesEveryValueAndNoOther) {
  Draws draws(1, Purpose::shuffle, 0);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 300; ++i) seen.insert(draws.below(7));
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(draws.below(1), 0u);
}

}  // namespace
}  // namespace lockstep
