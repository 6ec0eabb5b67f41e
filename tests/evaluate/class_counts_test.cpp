// Counted by hand: the sums stand beside each figure.
#include "lockstep/evaluate/class_counts.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

ClassCounts counts_of(std::int64_t classes, const std::vector<std::pair<int, int>>& pairs) {
  ClassCounts counts(classes);
  for (const auto& [label, predicted] : pairs) counts.add(label, predicted);
  return counts;
}

/// Cohen (1960): 20 and 15 of 50 agreed upon, 5 and 10 not; chance agreement is 0.5.
TEST(ClassCounts, KappaOfTwoJudges) {
  ClassCounts counts(2);
  for (const auto& [label, predicted, times] : {std::tuple{0, 0, 20}, {0, 1, 5}, {1, 0, 10}, {1, 1, 15}})
    for (int i = 0; i < times; ++i) counts.add(label, predicted);
  EXPECT_NEAR(kappa_of(counts).value(), 0.4, 1e-15);
  EXPECT_NEAR(accuracy_of(counts), 0.7, 1e-15);
  // (20·15 − 5·10) / √(25·25·30·20)
  EXPECT_NEAR(matthews_of(counts), 250 / std::sqrt(375000.0), 1e-15);
}

TEST(ClassCounts, BalancedAccuracyLeavesOutClassesWithoutSamplesMacroRecallDoesNot) {
  const ClassCounts counts = counts_of(4, {{0, 0}, {0, 2}, {1, 1}, {1, 1}});
  EXPECT_DOUBLE_EQ(balanced_accuracy_of(counts), (0.5 + 1) / 2);
  EXPECT_DOUBLE_EQ(macro_of(counts, recall_of), (0.5 + 1 + 0) / 3) << "class 2 was predicted, class 3 occurs nowhere";
  EXPECT_DOUBLE_EQ(weighted_of(counts, recall_of), 0.75);
  EXPECT_DOUBLE_EQ(weighted_of(counts, precision_of), (2 * 1.0 + 2 * 1.0) / 4);
}

TEST(ClassCounts, ThreeClasses) {
  // right 3 of 6; labels 2 2 2, predicted 3 1 2: chance (2·3 + 2·1 + 2·2) / 36 = 1/3
  const ClassCounts counts = counts_of(3, {{0, 0}, {0, 0}, {1, 0}, {1, 2}, {2, 2}, {2, 1}});
  EXPECT_NEAR(kappa_of(counts).value(), (0.5 - 1.0 / 3) / (1 - 1.0 / 3), 1e-15);
  // (3·6 − 12) / √((36 − 12)(36 − 14))
  EXPECT_NEAR(matthews_of(counts), 6 / std::sqrt(24.0 * 22.0), 1e-15);
}

TEST(ClassCounts, WhatIsNotDefinedIsNoNumber) {
  const ClassCounts all_right = counts_of(2, {{1, 1}, {1, 1}});
  EXPECT_FALSE(kappa_of(all_right).has_value());
  EXPECT_EQ(matthews_of(all_right), 0);
  EXPECT_EQ(balanced_accuracy_of(all_right), 1);
  const ClassCounts one_wrong = counts_of(2, {{0, 1}});
  EXPECT_EQ(kappa_of(one_wrong).value(), 0);
  EXPECT_EQ(matthews_of(one_wrong), 0);
  EXPECT_EQ(f1_of(one_wrong, 0), 0);
}

}  // namespace
}  // namespace lockstep
