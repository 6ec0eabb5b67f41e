#include "lockstep/data/step_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace lockstep {
namespace {

struct Case {
  std::int64_t samples, batch, granularity;
  int ranks;
};

class StepPlans : public ::testing::TestWithParam<Case> {};

TEST_P(StepPlans, GiveEverySampleExactlyOnceInEqualNumbersOfSteps) {
  const Case c = GetParam();
  const StepPlan plan(c.samples, c.batch, c.granularity);
  std::vector<int> seen(static_cast<std::size_t>(c.samples));
  std::int64_t next = 0;
  for (std::int64_t step = 0; step < plan.steps(); ++step) {
    EXPECT_EQ(plan.step(step).begin, next);
    std::int64_t place = next;
    for (int rank = 0; rank < c.ranks; ++rank) {
      const Range part = plan.rank_part(step, rank, c.ranks);
      EXPECT_EQ(part.begin, place) << "parts follow each other";
      place = part.end;
      for (std::int64_t i = part.begin; i < part.end; ++i) ++seen[static_cast<std::size_t>(i)];
      const auto groups = plan.rank_groups(step, rank, c.ranks);
      EXPECT_EQ(std::accumulate(groups.begin(), groups.end(), std::int64_t{0}), part.size());
    }
    EXPECT_EQ(place, plan.step(step).end);
    next = place;
    if (c.samples > 1 && c.batch > 1) {
      EXPECT_GT(plan.step(step).size(), 1) << "no batch of one sample";
    }
  }
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
}

TEST_P(StepPlans, KeepGroupsWholeAndEqualForAnyNumberOfRanks) {
  const Case c = GetParam();
  const StepPlan plan(c.samples, c.batch, c.granularity);
  for (std::int64_t step = 0; step < plan.steps(); ++step) {
    std::vector<std::int64_t> over_ranks;
    for (int rank = 0; rank < c.ranks; ++rank) {
      for (const std::int64_t size : plan.rank_groups(step, rank, c.ranks)) over_ranks.push_back(size);
    }
    EXPECT_EQ(over_ranks, plan.groups(step));
    for (const std::int64_t size : over_ranks) {
      EXPECT_GE(size, std::min(c.granularity, plan.step(step).size()));
      EXPECT_LT(size, 2 * c.granularity + (plan.step(step).size() < c.granularity ? c.granularity : 0));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, StepPlans,
                         ::testing::Values(Case{100, 10, 1, 2}, Case{101, 10, 1, 4}, Case{53, 13, 1, 3},
                                           Case{1, 1, 1, 1}, Case{1, 64, 1, 1}, Case{7, 64, 1, 4}, Case{65, 64, 1, 8},
                                           Case{66, 64, 1, 8}, Case{53, 13, 4, 3}, Case{50, 12, 5, 4},
                                           Case{97, 16, 2, 7}, Case{33, 16, 2, 8}, Case{5, 4, 8, 4}, Case{9, 2, 2, 2}));

TEST(StepPlan, JoinsALastBatchOfOneToTheStepBefore) {
  const StepPlan plan(65, 64, 1);
  EXPECT_EQ(plan.steps(), 1);
  EXPECT_EQ(plan.step(0), (Range{0, 65}));
}

TEST(StepPlan, SharesAreAsEqualAsTheyCanBe) {
  const StepPlan plan(64, 64, 1);
  for (int rank = 0; rank < 3; ++rank) EXPECT_NEAR(static_cast<double>(plan.rank_part(0, rank, 3).size()), 64 / 3.0, 1);
}

}  // namespace
}  // namespace lockstep
