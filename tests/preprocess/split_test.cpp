#include "preprocess/split.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "preprocess/source.hpp"

namespace lockstep::preprocess {
namespace {

std::vector<Candidate> of_classes(const std::vector<int>& sizes, const std::string& split = "") {
  std::vector<Candidate> candidates;
  for (std::size_t label = 0; label < sizes.size(); ++label) {
    for (int i = 0; i < sizes[label]; ++i) candidates.push_back({"p", split, "", static_cast<std::int32_t>(label)});
  }
  return candidates;
}

/// Counts by (split, label).
std::map<std::pair<std::string, int>, int> counts(const std::vector<Candidate>& candidates, const SplitShares& shares,
                                                  std::uint64_t seed = 0) {
  std::map<std::pair<std::string, int>, int> found;
  const std::vector<SharedText> splits = assign_splits(candidates, shares, seed);
  for (std::size_t id = 0; id < splits.size(); ++id) ++found[{splits[id], candidates[id].label}];
  return found;
}

TEST(Split, SharesAreOfAllAndOfWhatIsLeft) {
  auto found = counts(of_classes({100, 100}), {0.2, 0.1});
  for (const int label : {0, 1}) {
    EXPECT_EQ((found[{"test", label}]), 10);
    EXPECT_EQ((found[{"validation", label}]), 18);
    EXPECT_EQ((found[{"train", label}]), 72);
  }
}

TEST(Split, TotalIsTheRoundedShareAndEachClassWithinOne) {
  const std::vector<int> sizes = {33, 57, 101, 8, 13};
  auto found = counts(of_classes(sizes), {0, 0.25});
  int total = 0;
  for (int label = 0; label < 5; ++label) {
    const int cut = found[{"test", label}];
    total += cut;
    EXPECT_LT(std::abs(cut - 0.25 * sizes[static_cast<std::size_t>(label)]), 1) << label;
  }
  EXPECT_EQ(total, 53);
}

TEST(Split, ThreeImagesReachEverySplitAndFewerStay) {
  for (const double test : {0.01, 0.5, 0.9}) {
    auto found = counts(of_classes({3, 4, 1000, 1, 2}), {0.2, test});
    for (const int label : {0, 1, 2}) {
      for (const char* split : {"train", "validation", "test"})
        EXPECT_GE((found[{split, label}]), 1) << split << label << test;
    }
    EXPECT_EQ((found[{"train", 3}]), 1);
    EXPECT_GE((found[{"train", 4}]), 1);
  }
}

TEST(Split, NothingIsCutForNoShare) { EXPECT_EQ((counts(of_classes({10, 10}), {0, 0})[{"train", 0}]), 10); }

TEST(Split, FollowsTheSeedAndNothingElse) {
  const auto candidates = of_classes({50, 50});
  EXPECT_EQ(assign_splits(candidates, {0.2, 0.1}, 7), assign_splits(candidates, {0.2, 0.1}, 7));
  EXPECT_NE(assign_splits(candidates, {0.2, 0.1}, 7), assign_splits(candidates, {0.2, 0.1}, 8));
}

TEST(Split, GivenOnesAreKeptAndMissingOnesCut) {
  auto candidates = of_classes({50, 50}, "train");
  const auto test = of_classes({20, 20}, "test");
  candidates.insert(candidates.end(), test.begin(), test.end());
  auto found = counts(candidates, {0.2, 0.1});
  EXPECT_EQ((found[{"test", 1}]), 20);
  EXPECT_EQ((found[{"validation", 1}]), 10);
  EXPECT_EQ((found[{"train", 1}]), 40);
  for (Candidate& candidate : candidates) {
    if (candidate.given_split == "test") candidate.given_split = "validation";
  }
  found = counts(candidates, {0.2, 0.1});
  EXPECT_EQ((found[{"train", 1}]), 50);
  EXPECT_EQ((found[{"validation", 1}]), 20);
  EXPECT_EQ((found[{"test", 1}]), 0);
}

TEST(Split, RefusedOnesHaveNoneAndMoveNobody) {
  auto candidates = of_classes({30, 30});
  const auto before = assign_splits(candidates, {0.2, 0.1}, 0);
  candidates.push_back({"x.txt", "train", "not an image", 0});
  auto after = assign_splits(candidates, {0.2, 0.1}, 0);
  EXPECT_EQ(after.back(), "");
  after.pop_back();
  EXPECT_EQ(after, before);
}

TEST(Split, WhatIsThereCounts) {
  const std::vector<Candidate> three = of_classes({3});
  const auto added = [&](const SplitCounts& there) {
    std::map<std::string, int> found;
    for (const SharedText& split : assign_splits(three, {0.2, 0.1}, 0, there)) ++found[split];
    return found;
  };
  using Found = std::map<std::string, int>;
  EXPECT_EQ(added({}), (Found{{"train", 1}, {"validation", 1}, {"test", 1}}));
  EXPECT_EQ(added({{0, {{"train", 71}, {"validation", 17}, {"test", 12}}}}), (Found{{"train", 2}, {"validation", 1}}));
  EXPECT_EQ(added({{0, {{"train", 60}, {"validation", 20}, {"test", 20}}}}), (Found{{"train", 3}}));
  EXPECT_EQ(added({{0, {{"train", 100}}}}), (Found{{"test", 3}})) << "no more than there are";
  EXPECT_EQ(added({{1, {{"train", 100}}}}), added({})) << "another class";
}

TEST(Split, ApportionedSumsAreExact) {
  for (int groups = 1; groups < 40; ++groups) {
    std::vector<std::int64_t> sizes;
    for (int i = 0; i < groups; ++i) sizes.push_back((i * 37) % 23);
    const auto all = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    for (const double share : {0.1, 0.2, 1.0 / 3, 0.5, 0.9}) {
      const auto parts = apportion(sizes, share);
      EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), std::int64_t{0}),
                std::llround(share * static_cast<double>(all)));
    }
  }
}

}  // namespace
}  // namespace lockstep::preprocess
