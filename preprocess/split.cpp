#include "preprocess/split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "lockstep/core/draws.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {
namespace {

using Members = std::vector<std::size_t>;  // ids of one class

/// Fisher–Yates with draws named by the class, so that one class's images do not move another's.
void shuffle(Members& members, std::uint64_t seed, std::int32_t label) {
  Draws draws(seed, Purpose::split, static_cast<std::uint64_t>(static_cast<std::int64_t>(label)));
  for (std::size_t left = members.size(); left > 1; --left) std::swap(members[left - 1], members[draws.below(left)]);
}

std::vector<std::int64_t> sizes_of(const std::vector<Members>& classes) {
  std::vector<std::int64_t> sizes;
  for (const Members& members : classes) sizes.push_back(static_cast<std::int64_t>(members.size()));
  return sizes;
}

/// Takes `share` of every class into `name`, from the back of its shuffled members. Of classes that had three images or
/// more at first (`sizes`), at least one is taken and `keep` stay; of smaller ones, one stays.
void cut(std::vector<Members>& classes, const std::vector<std::int64_t>& sizes, double share, std::int64_t keep,
         const std::string& name, std::vector<std::string>& splits) {
  if (share <= 0) return;
  std::vector<std::int64_t> counts = apportion(sizes_of(classes), share);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool enough = sizes[c] >= 3;
    const auto most = static_cast<std::int64_t>(classes[c].size()) - (enough ? keep : 1);
    counts[c] = std::min(std::max<std::int64_t>(counts[c], enough ? 1 : 0), std::max<std::int64_t>(most, 0));
    for (std::int64_t i = 0; i < counts[c]; ++i) {
      splits[classes[c].back()] = name;
      classes[c].pop_back();
    }
  }
}

}  // namespace

std::vector<std::int64_t> apportion(const std::vector<std::int64_t>& sizes, double share) {
  const std::int64_t all = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  std::vector<std::int64_t> counts;
  std::vector<std::pair<double, std::size_t>> remainders;  // (−remainder, group): sorting puts the largest first
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double quota = share * static_cast<double>(sizes[i]);
    counts.push_back(static_cast<std::int64_t>(std::floor(quota)));
    remainders.emplace_back(std::floor(quota) - quota, i);
  }
  std::ranges::sort(remainders);
  std::int64_t open =
      std::llround(share * static_cast<double>(all)) - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (const auto& [negative, group] : remainders) {
    if (open-- <= 0) break;
    ++counts[group];
  }
  return counts;
}

std::vector<std::string> assign_splits(std::span<const Candidate> candidates, const SplitShares& shares,
                                       std::uint64_t seed) {
  std::vector<std::string> splits(candidates.size());
  std::map<std::int32_t, Members> training;  // label → ids
  bool given_validation = false, given_test = false;
  for (std::size_t id = 0; id < candidates.size(); ++id) {
    const Candidate& candidate = candidates[id];
    if (!candidate.refusal.empty()) continue;
    given_validation |= candidate.given_split == "validation";
    given_test |= candidate.given_split == "test";
    splits[id] = candidate.given_split.empty() ? "train" : candidate.given_split;
    if (splits[id] == "train") training[candidate.label].push_back(id);
  }
  std::vector<Members> classes;
  for (auto& [label, members] : training) {
    shuffle(members, seed, label);
    classes.push_back(members);
  }
  const std::vector<std::int64_t> sizes = sizes_of(classes);
  if (!given_test && !given_validation) cut(classes, sizes, shares.test, shares.validation > 0 ? 2 : 1, "test", splits);
  if (!given_validation) cut(classes, sizes, shares.validation, 1, "validation", splits);
  return splits;
}

}  // namespace lockstep::preprocess
