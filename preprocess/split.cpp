#include "preprocess/split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

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

/// The images to train on of one class.
struct ClassMembers {
  Members open;                               // to be handed out, shuffled
  std::map<std::string, std::int64_t> there;  // split → images of the data set that is there

  std::int64_t count(const std::string& split) const {
    const auto found = there.find(split);
    return found == there.end() ? 0 : found->second;
  }
  /// All that may be in these splits in the end.
  std::int64_t size(const std::vector<std::string>& splits) const {
    auto sum = static_cast<std::int64_t>(open.size());
    for (const std::string& split : splits) sum += count(split);
    return sum;
  }
};

/// A split that is cut, of the images in the splits `of`, itself among them; `rest` are the others.
struct Cut {
  SharedText name;
  double share = 0;
  std::vector<std::string> of, rest;
  std::int64_t keep = 1;  // images of a class that stay in the rest
};

/// Takes a share of every class, from the back of its shuffled members. Of classes of three images or more (`sizes`),
/// at least one is taken and `keep` stay; of smaller ones, one stays.
void take(std::vector<ClassMembers>& classes, const std::vector<std::int64_t>& sizes, const Cut& cut,
          std::vector<SharedText>& splits) {
  if (cut.share <= 0) return;
  std::vector<std::int64_t> wholes;
  for (const ClassMembers& one : classes) wholes.push_back(one.size(cut.of));
  const std::vector<std::int64_t> shares = apportion(wholes, cut.share);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    Members& open = classes[c].open;
    const bool enough = sizes[c] >= 3;
    const std::int64_t wanted = std::max<std::int64_t>(shares[c], enough ? 1 : 0) - classes[c].count(cut.name);
    const std::int64_t most = std::min(std::ssize(open), classes[c].size(cut.rest) - (enough ? cut.keep : 1));
    for (std::int64_t i = 0; i < std::min(wanted, most); ++i) {
      splits[open.back()] = cut.name;
      open.pop_back();
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

std::vector<SharedText> assign_splits(std::span<const Candidate> candidates, const SplitShares& shares,
                                      std::uint64_t seed, const SplitCounts& there) {
  const SharedText train("train");
  std::vector<SharedText> splits(candidates.size());
  std::map<std::int32_t, Members> training;  // label → ids
  bool given_validation = false, given_test = false;
  for (std::size_t id = 0; id < candidates.size(); ++id) {
    const Candidate& candidate = candidates[id];
    if (!candidate.refusal.empty()) continue;
    given_validation |= candidate.given_split == "validation";
    given_test |= candidate.given_split == "test";
    splits[id] = candidate.given_split.empty() ? train : candidate.given_split;
    if (splits[id] == train) training[candidate.label].push_back(id);
  }
  const bool cut_validation = !given_validation && shares.validation > 0;
  const bool cut_test = !given_test && !given_validation && shares.test > 0;
  std::vector<ClassMembers> classes;
  std::vector<std::int64_t> sizes;  // [class], before anything is taken
  for (auto& [label, members] : training) {
    shuffle(members, seed, label);
    const auto before = there.find(label);
    classes.push_back({members, before == there.end() ? decltype(ClassMembers::there)() : before->second});
    sizes.push_back(cut_test ? classes.back().size({"train", "validation", "test"})
                             : classes.back().size({"train", "validation"}));
  }
  if (cut_test) {
    const std::int64_t keep = cut_validation ? 2 : 1;
    take(classes, sizes, {"test", shares.test, {"train", "validation", "test"}, {"train", "validation"}, keep}, splits);
  }
  if (cut_validation)
    take(classes, sizes, {"validation", shares.validation, {"train", "validation"}, {"train"}, 1}, splits);
  return splits;
}

}  // namespace lockstep::preprocess
