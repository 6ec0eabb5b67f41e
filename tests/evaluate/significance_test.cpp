// McNemar's test beside R's and scipy's values; intervals beside their definition.
#include "lockstep/evaluate/significance.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

JudgedSamples samples_of(const std::vector<bool>& right) {
  JudgedSamples samples;
  samples.classes = 2;
  for (const bool is_right : right) {
    const auto id = std::ssize(samples.predictions);
    samples.predictions.push_back({id, id % 2, is_right ? id % 2 : 1 - id % 2, is_right ? 0 : 1, is_right ? 0.1 : 2});
  }
  return samples;
}

TEST(McNemarTest, ExactEqualsTheBinomialTest) {  // scipy.stats.binomtest(min(b, c), b + c).pvalue
  EXPECT_NEAR(mcnemar(3, 9).p, 0.14599609375, 1e-15);
  EXPECT_NEAR(mcnemar(9, 3).p, 0.14599609375, 1e-15);
  EXPECT_NEAR(mcnemar(10, 14).p, 0.5412561893463135, 1e-14);
  EXPECT_NEAR(mcnemar(0, 6).p, 0.03125, 1e-16);
  for (const auto& [b, c] : {std::pair{0, 0}, {1, 0}, {12, 12}}) EXPECT_EQ(mcnemar(b, c).p, 1);
  EXPECT_TRUE(mcnemar(12, 12).exact);
}

TEST(McNemarTest, ManyPairsEqualRsMcnemarTest) {
  const McNemar test = mcnemar(150, 86);  // the approval ratings of Agresti (1990) in R's example
  EXPECT_FALSE(test.exact);
  EXPECT_NEAR(test.statistic, 16.81779661016949, 1e-12);
  EXPECT_NEAR(test.p, 4.114562281345944e-05, 1e-17);
  EXPECT_NEAR(mcnemar(5, 59).p, 3.472481790704108e-11, 1e-22);
  EXPECT_EQ(mcnemar(13, 12).p, 1) << "a difference of one is corrected to none";
  EXPECT_EQ(mcnemar(13, 13).p, 1);
}

TEST(PairedComparisons, CountAllFourKinds) {
  const PairedComparison found =
      compare_paired(samples_of({true, true, true, false, false}), samples_of({true, false, false, true, false}), {});
  EXPECT_EQ(found.both_right, 1);
  EXPECT_EQ(found.test.only_first, 2);
  EXPECT_EQ(found.test.only_second, 1);
  EXPECT_EQ(found.both_wrong, 1);
  EXPECT_DOUBLE_EQ(found.accuracy - found.other_accuracy, 0.2);
  ASSERT_TRUE(found.difference);
  EXPECT_LT(found.difference->low, 0.2);
  EXPECT_GT(found.difference->high, 0.2);
}

TEST(PairedComparisons, ARunAgainstItselfDiffersByNothing) {
  const JudgedSamples samples = samples_of({true, false, true});
  const PairedComparison found = compare_paired(samples, samples, {});
  EXPECT_EQ(found.test.p, 1);
  EXPECT_EQ(found.difference->low, 0);
  EXPECT_EQ(found.difference->high, 0);
}

TEST(Bootstraps, QuantilesAreNumpysPercentiles) {
  const ConfidenceInterval found = percentile_interval({5, 1, 4, 2, 3}, 0.9);
  EXPECT_NEAR(found.low, 1.2, 1e-15);
  EXPECT_NEAR(found.high, 4.8, 1e-15);
  EXPECT_EQ(percentile_interval({7}, 0.95).low, 7);
}

TEST(Bootstraps, HoldTheFigureAndNarrowWithTheSamples) {
  double before = 1;
  for (const std::size_t count : {20u, 200u, 2000u}) {
    std::vector<bool> right;
    for (std::size_t i = 0; i < count; ++i) right.push_back(i % 10 < 7);
    const auto found = bootstrap(samples_of(right), {});
    ASSERT_TRUE(found);
    EXPECT_LT(found->accuracy.low, 0.7);
    EXPECT_GT(found->accuracy.high, 0.7);
    // the normal approximation: 2 · 1.96 · √(0.7 · 0.3 / n)
    const double width = found->accuracy.high - found->accuracy.low;
    EXPECT_NEAR(width, 3.92 * std::sqrt(0.21 / static_cast<double>(count)), 0.1 * before);
    EXPECT_LT(width, before);
    before = width;
  }
}

TEST(Bootstraps, AreFunctionsOfTheSeed) {
  std::vector<bool> right;
  for (int i = 0; i < 150; ++i) right.push_back(i % 3 != 0);
  const JudgedSamples samples = samples_of(right);
  const auto first = bootstrap(samples, {200, 1, 0.95}), again = bootstrap(samples, {200, 1, 0.95}),
             other = bootstrap(samples, {200, 2, 0.95});
  EXPECT_EQ(first->matthews.low, again->matthews.low);
  EXPECT_EQ(first->matthews.high, again->matthews.high);
  EXPECT_NE(first->matthews.low, other->matthews.low);
  EXPECT_FALSE(bootstrap(samples, {0, 1, 0.95}).has_value());
}

TEST(Bootstraps, OneSampleIsAnIntervalWithoutWidth) {
  const auto found = bootstrap(samples_of({true}), {});
  EXPECT_EQ(found->accuracy.low, 1);
  EXPECT_EQ(found->accuracy.high, 1);
  EXPECT_FALSE(found->kappa.has_value()) << "undefined in every resample";
}

}  // namespace
}  // namespace lockstep
