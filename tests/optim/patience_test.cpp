#include "lockstep/optim/patience.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

std::vector<std::int64_t> waits(const std::vector<double>& scores, double min_change) {
  Patience patience;
  std::vector<std::int64_t> waited;
  for (const double score : scores) {
    patience.count(score, min_change);
    waited.push_back(patience.waited);
  }
  return waited;
}

TEST(PatienceTest, CountsJudgementsSinceTheLastImprovement) {
  EXPECT_EQ(waits({0.5, 0.4, 0.5, 0.6, 0.6, 0.1, 0.7}, 0), (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0}));
}

TEST(PatienceTest, SmallGainsDoNotAddUp) {
  EXPECT_EQ(waits({0.50, 0.51, 0.52, 0.53, 0.56, 0.57}, 0.05), (std::vector<std::int64_t>{0, 1, 2, 3, 0, 1}));
}

TEST(PatienceTest, LossesAreScoresBelowZero) {
  EXPECT_EQ(waits({-3, -2, -2.5, -1}, 0), (std::vector<std::int64_t>{0, 0, 1, 0}));
}

}  // namespace
}  // namespace lockstep
