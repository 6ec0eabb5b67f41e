// Curves drawn by hand; random ones beside the definition of their areas.
#include "lockstep/evaluate/ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/draws.hpp"

namespace lockstep {
namespace {

using Scored = std::vector<std::pair<double, bool>>;

Scored random_scores(std::uint64_t seed, int count, int levels) {
  Draws draws(seed, Purpose::shuffle, 0);
  Scored scored;
  for (int i = 0; i < count; ++i) {
    const bool positive = draws.uniform() < 0.3;
    scored.emplace_back(static_cast<double>(draws.below(static_cast<std::uint64_t>(levels))) + (positive ? 1 : 0),
                        positive);
  }
  return scored;
}

Ranking ranking_of(const Scored& scored) {
  std::vector<double> positives, negatives;
  for (const auto& [score, positive] : scored) (positive ? positives : negatives).push_back(score);
  return {std::move(positives), std::move(negatives)};
}

/// P(a positive's score is the larger one) + P(equal) / 2, over all pairs.
double pairs_won(const Scored& scored) {
  double won = 0, pairs = 0;
  for (const auto& [mine, positive] : scored) {
    for (const auto& [other, other_positive] : scored) {
      if (!positive || other_positive) continue;
      ++pairs;
      won += mine > other ? 1 : mine == other ? 0.5 : 0;
    }
  }
  return won / pairs;
}

double trapezoids(const Curve& curve) {
  double area = 0;
  for (std::size_t i = 1; i < curve.x.size(); ++i)
    area += (curve.x[i] - curve.x[i - 1]) * (curve.y[i] + curve.y[i - 1]) / 2;
  return area;
}

TEST(Ranking, FiveSamplesByHand) {
  // by falling score: + − (+ −) −, the pair in brackets of one score
  const Ranking ranking({0.5, 0.9}, {0.8, 0.1, 0.5});
  const Curve roc = ranking.roc();
  EXPECT_EQ(roc.x, (std::vector<double>{0, 0, 1.0 / 3, 2.0 / 3, 1}));
  EXPECT_EQ(roc.y, (std::vector<double>{0, 0.5, 0.5, 1, 1}));
  EXPECT_EQ(roc.thresholds, (std::vector<double>{INFINITY, 0.9, 0.8, 0.5, 0.1}));
  EXPECT_NEAR(ranking.auc().value(), (0.5 + 0.75 + 1) / 3, 1e-15);
  const Curve curve = ranking.precision_recall();
  EXPECT_EQ(curve.x, (std::vector<double>{0, 0.5, 0.5, 1}));
  EXPECT_EQ(curve.y, (std::vector<double>{1, 1, 0.5, 0.5}));
  EXPECT_NEAR(ranking.average_precision().value(), 0.5 * 1 + 0.5 * 0.5, 1e-15);
}

TEST(Ranking, AreaIsTheShareOfPairsWonForAnyTies) {
  for (const int levels : {1, 2, 7, 1000000}) {
    const Scored scored = random_scores(static_cast<std::uint64_t>(levels), 200, levels);
    const Ranking ranking = ranking_of(scored);
    EXPECT_NEAR(ranking.auc().value(), pairs_won(scored), 1e-12) << levels;
    EXPECT_NEAR(trapezoids(ranking.roc()), pairs_won(scored), 1e-12) << "points on a line make no difference";
  }
}

TEST(Ranking, OneKindOfSamplesHasNoCurve) {
  const Ranking positives({1, 2}, {}), negatives({}, {1}), nothing({}, {});
  EXPECT_FALSE(positives.auc().has_value());
  EXPECT_EQ(positives.average_precision().value(), 1);
  EXPECT_TRUE(positives.roc().x.empty());
  EXPECT_FALSE(negatives.average_precision().has_value());
  EXPECT_TRUE(negatives.precision_recall().x.empty());
  EXPECT_FALSE(nothing.auc().has_value());
}

TEST(Ranking, AThinnedCurveKeepsItsEndsAndIsNeverFarFromTheWholeOne) {
  const Ranking ranking = ranking_of(random_scores(5, 5000, 1000000));
  for (const bool of_precision : {false, true}) {
    const Curve whole = of_precision ? ranking.precision_recall() : ranking.roc();
    const Curve thin = of_precision ? ranking.precision_recall(50) : ranking.roc(50);
    ASSERT_GT(whole.x.size(), 1000u);
    EXPECT_LE(thin.x.size(), 50u);
    EXPECT_GE(thin.x.size(), 25u);
    EXPECT_EQ(thin.x.front(), whole.x.front());
    EXPECT_EQ(thin.x.back(), whole.x.back());
    EXPECT_EQ(thin.y.back(), whole.y.back());
    for (std::size_t i = 0; i < thin.x.size(); ++i) {
      const auto at = std::ranges::find(whole.thresholds, thin.thresholds[i]) - whole.thresholds.begin();
      ASSERT_LT(at, std::ssize(whole.x));
      EXPECT_EQ(thin.x[i], whole.x[static_cast<std::size_t>(at)]);
      EXPECT_EQ(thin.y[i], whole.y[static_cast<std::size_t>(at)]);
    }
  }
  EXPECT_NEAR(trapezoids(ranking.roc(50)), ranking.auc().value(), 2e-3);
}

TEST(Ranking, MeanOfTwoRocCurves) {
  const Curve diagonal{{0, 1}, {0, 1}, {}}, perfect{{0, 0, 1}, {0, 1, 1}, {}};
  MeanRoc both;
  both.add(diagonal);
  both.add(perfect);
  const Curve mean = both.curve();
  ASSERT_EQ(mean.x.size(), 101u);
  EXPECT_DOUBLE_EQ(mean.y.front(), 0.5) << "the upper end where it rises straight up";
  EXPECT_DOUBLE_EQ(mean.y[50], 0.75);
  EXPECT_DOUBLE_EQ(mean.y.back(), 1);
  EXPECT_TRUE(MeanRoc().curve().x.empty());
}

}  // namespace
}  // namespace lockstep
