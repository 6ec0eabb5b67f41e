// Which image goes into which split: a pure function of labels, given splits, shares and seed.
//
// Splits the source gives are kept. What is missing is cut from the images to train on:
//   validation  if the source gives none: `shares.validation` of the training images (those left after the test);
//   test        if the source gives neither validation nor test: `shares.test` of all.
// So 0.2 and 0.1 on a set without splits make 72 % train, 18 % validation, 10 % test.
// Stratified: each class is cut by the same share, whole images being handed out by the largest remainder, so that the
// total is the share of all, rounded. Every class of three or more images gets at least one in each split cut, and
// train keeps at least one of every class. Candidates with a refusal get no split and do not count.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lockstep/core/shared_text.hpp"

namespace lockstep::preprocess {

struct Candidate;

struct SplitShares {
  double validation = 0, test = 0;  ///< each in [0, 1)
};

/// Label → split → images that a data set has already.
using SplitCounts = std::map<std::int32_t, std::map<std::string, std::int64_t>>;

/// Name of the split of each candidate, [id], one text a split; empty for refused ones. With images `there` already,
/// the candidates are handed out so that both together come as near to the rules above as they can, since those there
/// stay.
std::vector<SharedText> assign_splits(std::span<const Candidate> candidates, const SplitShares& shares,
                                      std::uint64_t seed, const SplitCounts& there = {});

/// Hands out `share` of all items over groups of `sizes` items: floors first, then by the largest remainder, ties to
/// the earlier group. The sum is `share` of all, rounded to the nearest.
std::vector<std::int64_t> apportion(const std::vector<std::int64_t>& sizes, double share);

}  // namespace lockstep::preprocess
