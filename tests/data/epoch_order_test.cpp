#include "lockstep/data/epoch_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

std::vector<Range> blocks_of(std::int64_t samples, std::int64_t per_block) {
  std::vector<Range> blocks;
  for (std::int64_t begin = 0; begin < samples; begin += per_block)
    blocks.push_back({begin, std::min(samples, begin + per_block)});
  return blocks;
}

void expect_each_once(const EpochOrder& order, std::int64_t samples) {
  std::vector<std::int64_t> sorted = order.positions;
  std::ranges::sort(sorted);
  ASSERT_EQ(std::ssize(sorted), samples);
  for (std::int64_t i = 0; i < samples; ++i) ASSERT_EQ(sorted[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(order.copies.empty());
}

TEST(FullOrder, IsAPermutationThatChangesWithEpochAndSeedOnly) {
  const EpochOrder first = full_order(1000, 3, 0);
  expect_each_once(first, 1000);
  EXPECT_EQ(first.positions, full_order(1000, 3, 0).positions);
  EXPECT_NE(first.positions, full_order(1000, 3, 1).positions);
  EXPECT_NE(first.positions, full_order(1000, 4, 0).positions);
}

TEST(FullOrder, PutsEverySampleEverywhere) {
  // Place of sample 0 over 4,000 epochs of 8 samples: each place 500 ± 5 standard deviations.
  std::vector<int> places(8);
  for (std::int64_t epoch = 0; epoch < 4000; ++epoch) {
    const auto order = full_order(8, 1, epoch).positions;
    ++places[static_cast<std::size_t>(std::find(order.begin(), order.end(), 0) - order.begin())];
  }
  for (const int count : places) EXPECT_NEAR(count, 500, 105);
}

struct Windows {
  std::int64_t samples, per_block, window, batch;
};

class WindowOrders : public ::testing::TestWithParam<Windows> {
 protected:
  EpochOrder order(std::int64_t epoch) const {
    const Windows w = GetParam();
    return window_order(blocks_of(w.samples, w.per_block), w.window, StepPlan(w.samples, w.batch, 1), 5, epoch);
  }
};

TEST_P(WindowOrders, HaveEverySampleOnceAndChangeWithTheEpoch) {
  expect_each_once(order(0), GetParam().samples);
  EXPECT_EQ(order(3).positions, order(3).positions);
  if (GetParam().samples > 8) {
    EXPECT_NE(order(0).positions, order(1).positions);
  }
}

/// What storage sees: between the first and the last use of a block lies no more than two windows and a batch.
TEST_P(WindowOrders, UseABlockWithinItsWindow) {
  const Windows w = GetParam();
  const EpochOrder found = order(2);
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> places;  // block → first, last place
  for (std::int64_t place = 0; place < w.samples; ++place) {
    const std::int64_t block = found.positions[static_cast<std::size_t>(place)] / w.per_block;
    places.try_emplace(block, place, place).first->second.second = place;
  }
  for (const auto& [block, range] : places)
    EXPECT_LE(range.second - range.first, w.window + w.per_block + 2 * w.batch) << "block " << block;
}

/// A rank's part of the steps of one window comes from about its own part of the window's blocks.
TEST(WindowOrder, GivesEachRankItsOwnPartOfAWindow) {
  const std::int64_t samples = 4096, per_block = 16, window = 1024, batch = 64;
  const StepPlan plan(samples, batch, 1);
  const auto blocks = blocks_of(samples, per_block);
  const EpochOrder order = window_order(blocks, window, plan, 1, 0);
  const int ranks = 4;
  std::vector<std::size_t> blocks_read;
  for (int rank = 0; rank < ranks; ++rank) {
    std::map<std::int64_t, int> seen;
    for (std::int64_t step = 0; step < plan.steps(); ++step) {
      const Range part = plan.rank_part(step, rank, ranks);
      for (std::int64_t place = part.begin; place < part.end; ++place)
        ++seen[order.positions[static_cast<std::size_t>(place)] / per_block];
    }
    blocks_read.push_back(seen.size());
  }
  const std::size_t all = std::accumulate(blocks_read.begin(), blocks_read.end(), std::size_t{0});
  // Read by every rank it would be 4 times all blocks; neighbours share those at their borders.
  EXPECT_LE(static_cast<double>(all), 1.8 * static_cast<double>(blocks.size()));
}

TEST(WindowOrder, PutsNeighboursOfABlockApart) {
  for (const std::int64_t batch : {16, 64, 256}) {
    const std::int64_t samples = 4096, per_block = 64, window = 1024;  // the fewest blocks that a window may have
    const EpochOrder order = window_order(blocks_of(samples, per_block), window, StepPlan(samples, batch, 1), 1, 0);
    int together = 0;
    for (std::size_t i = 0; i < order.positions.size(); i += 2)
      together += order.positions[i] / per_block == order.positions[i + 1] / per_block;
    EXPECT_LE(together, samples / 2 / 5) << "batch " << batch << ": one pair in eight or so, all pairs if sorted";
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WindowOrders,
                         ::testing::Values(Windows{1000, 10, 100, 32}, Windows{997, 7, 130, 13}, Windows{53, 5, 17, 7},
                                           Windows{8, 3, 100, 4}, Windows{64, 1, 16, 1}, Windows{1, 1, 1, 1}));

std::map<std::int64_t, int> counts_of(const EpochOrder& order) {
  std::map<std::int64_t, int> counts;
  for (const std::int64_t position : order.positions) ++counts[position];
  return counts;
}

TEST(WeightedOrder, GivesEachSampleItsShareRoundedUpOrDown) {
  std::vector<double> weights;
  for (int i = 0; i < 997; ++i) weights.push_back(i % 10 == 3 ? 0.0 : 0.1 + (i % 7) * (i % 11));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    const EpochOrder order = weighted_order(weights, {}, 7, epoch);
    ASSERT_EQ(order.positions.size(), weights.size());
    const auto counts = counts_of(order);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double expected = 997 * weights[i] / total;
      const auto found = counts.find(static_cast<std::int64_t>(i));
      const int count = found == counts.end() ? 0 : found->second;
      EXPECT_GE(count, std::floor(expected) - (weights[i] > 0 ? 1e-9 : 0));
      EXPECT_LE(count, std::ceil(expected) + 1e-9);
    }
  }
}

TEST(WeightedOrder, HasTheWeightsAsItsMeanOverEpochs) {
  const std::vector<double> weights = {1, 0.25, 0, 3, 0.75};
  std::vector<double> counts(5);
  const int epochs = 20000;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const std::int64_t position : weighted_order(weights, {}, 1, epoch).positions)
      ++counts[static_cast<std::size_t>(position)];
  }
  // At most 0.25 of variance a draw: five standard deviations of the mean are 0.018.
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(counts[i] / epochs, weights[i], 0.018) << i;
  EXPECT_EQ(counts[2], 0);
}

TEST(WeightedOrder, NumbersRepeatedSamples) {
  const EpochOrder order = weighted_order(std::vector<double>{10, 1, 1, 0}, {}, 1, 0);
  std::map<std::int64_t, std::vector<std::int32_t>> copies;
  for (std::size_t i = 0; i < 4; ++i) copies[order.positions[i]].push_back(order.copies[i]);
  for (auto& [position, numbers] : copies) {
    std::ranges::sort(numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], static_cast<std::int32_t>(i));
  }
}

TEST(WeightedOrder, BalancesClassesToOnePlace) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 1000; ++i) labels.push_back(i < 900 ? 0 : i < 990 ? 1 : 2);
  const std::vector<double> weights = balancing_weights(labels);
  for (std::int64_t epoch = 0; epoch < 10; ++epoch) {
    const EpochOrder order = weighted_order(weights, labels, 3, epoch);
    std::vector<int> classes(3);
    for (const std::int64_t position : order.positions)
      ++classes[static_cast<std::size_t>(labels[static_cast<std::size_t>(position)])];
    for (const int count : classes) EXPECT_NEAR(count, 1000 / 3.0, 1);
    for (const auto& [position, count] : counts_of(order)) {
      if (labels[static_cast<std::size_t>(position)] == 2) {
        EXPECT_NEAR(count, 1000 / 3.0 / 10, 1) << "ten samples share a third of the epoch evenly";
      }
    }
  }
  // Of the large class another third each time, not the same neighbours.
  const auto first = counts_of(weighted_order(weights, labels, 3, 0)),
             second = counts_of(weighted_order(weights, labels, 3, 1));
  int both = 0;
  for (const auto& [position, count] : first) both += position < 900 && second.contains(position);
  EXPECT_NEAR(both, 900 * 0.37 * 0.37, 50);
}

TEST(WeightedOrder, RefusesWeightsThatAddUpToNothing) {
  EXPECT_THROW(weighted_order(std::vector<double>{0, 0}, {}, 1, 0), Error);
  EXPECT_THROW(weighted_order(std::vector<double>{1, INFINITY}, {}, 1, 0), Error);
}

}  // namespace
}  // namespace lockstep
