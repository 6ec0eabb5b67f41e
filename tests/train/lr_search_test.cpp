#include "lockstep/train/lr_search.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep {
namespace {

/// Feeds a search with the losses that `loss` gives for its rates.
template <typename F>
LrSearch searched(const F& loss, std::int64_t steps = 100) {
  LrSearch search(steps);
  while (!search.over()) search.add(loss(search.lr()));
  return search;
}

/// Falls most steeply over log(lr) at 1e-2, grows without bound beyond 1.
double usual(double lr) { return 2.3 - 2 / (1 + std::pow(1e-2 / lr, 2)) + std::pow(lr / 1.5, 4); }

TEST(LrSearches, FindWhereTheLossFallsMostSteeply) {
  const LrSearch search = searched(usual);
  ASSERT_TRUE(search.suggestion());
  EXPECT_GT(*search.suggestion(), 0.01);
  EXPECT_LT(*search.suggestion(), 0.06) << "the smoothed loss lags behind";
  EXPECT_LT(search.points().back().lr, LrSearch::last * 1.0001);
  EXPECT_NE(search.description().find("--lr"), std::string::npos);
}

TEST(LrSearches, GoThroughAllRatesInEqualFactors) {
  const LrSearch search = searched([](double) { return 1.0; }, 8);
  ASSERT_EQ(search.points().size(), 8u);
  EXPECT_DOUBLE_EQ(search.points().front().lr, LrSearch::first);
  EXPECT_NEAR(search.points().back().lr, LrSearch::last, 1e-9);
  EXPECT_DOUBLE_EQ(search.points()[1].lr / search.points()[0].lr, 10.0);
}

TEST(LrSearches, EndWhereTheLossBlowsUp) {
  const LrSearch far = searched([](double lr) { return lr < 0.1 ? 2.0 : 2.0 * std::exp(lr * 50); });
  EXPECT_LT(far.points().back().lr, 1);
  const LrSearch none = searched([](double lr) { return lr < 0.1 ? 2.0 : std::numeric_limits<double>::quiet_NaN(); });
  EXPECT_LT(none.points().back().lr, 0.1) << "what is no number is no point";
  for (const LrPoint& point : none.points()) EXPECT_TRUE(std::isfinite(point.smoothed));
}

TEST(LrSearches, SuggestNothingWhereNothingIsLearnt) {
  EXPECT_FALSE(searched([](double) { return 2.3; }).suggestion());
  EXPECT_FALSE(searched([](double lr) { return 2.3 + lr; }).suggestion());
  EXPECT_FALSE(searched(usual, 4).suggestion()) << "too few points";
  EXPECT_NE(searched([](double) { return 2.3; }).description().find("nothing to suggest"), std::string::npos);
  LrSearch broken(10);
  broken.add(std::numeric_limits<double>::infinity());
  EXPECT_TRUE(broken.over());
  EXPECT_FALSE(broken.suggestion());
  EXPECT_FALSE(broken.description().empty());
}

}  // namespace
}  // namespace lockstep
