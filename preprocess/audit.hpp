// What is wrong, or worth knowing, in a packed data set: from images.h5 and the manifest alone, without the images.
//
// Duplicates are images whose bytes are the same (size and digest); near duplicates look the same
// (near_duplicates.hpp). Both together make groups: leakage is a group in more than one split, a conflict a group
// with two known labels: certain where the same bytes are in both, near where only alike pictures are. Pictures with
// less contrast than `least_contrast` or a side below `least_side` look like each other without being the same (of
// Fashion-MNIST every fourth would have a near duplicate), so only equal bytes count for them. Rows without
// fingerprints (tables of format version 1) are in no group.
//
// Pure function of its arguments, the same for any number of threads; lists are in the order of ids. Memory: some 150
// bytes an image.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lockstep/data/image_table.hpp"
#include "lockstep/data/manifest.hpp"
#include "preprocess/findings.hpp"

namespace lockstep::preprocess {

/// How much alike the images are of which something is true.
enum class Sameness { none, alike, identical };

/// Images that are the same picture.
struct ImageGroup {
  std::vector<std::int64_t> ids;  ///< at least two, ascending; left-out duplicates too if their label differs
  bool identical = false;         ///< the same bytes, all of them
  int bits = 0;                   ///< largest distance of two looks that joined it, of 256; 0 if identical
  Sameness across_splits = Sameness::none;
  Sameness labels_differ = Sameness::none;
};

struct Refusals {
  std::string reason;
  std::vector<std::int64_t> ids;
};

/// Smallest, middle and largest value over the images of the data set, and whose the outer ones are.
struct Spread {
  double least = 0, median = 0, most = 0;
  std::int64_t least_id = -1, most_id = -1;  ///< −1: there are no values
};

struct SplitBalance {
  std::string split;
  std::vector<std::int64_t> counts;  ///< [class], of labelled images
  std::int64_t unlabelled = 0;
  double imbalance = 1;                    ///< largest class over smallest one that is not empty
  std::vector<std::size_t> empty_classes;  ///< none if nothing is labelled
};

struct Audit {
  std::int64_t images = 0;               ///< in the data set
  std::int64_t without_fingerprint = 0;  ///< of these
  std::int64_t left_out = 0;             ///< duplicates that --drop-duplicates left out
  std::vector<Refusals> refusals;        ///< most frequent first
  std::vector<ImageGroup> groups;        ///< by their first id
  std::int64_t copies = 0;               ///< images beyond the first of the same bytes
  std::int64_t near_copies = 0;          ///< pictures of a group, counted once per content, beyond its first
  std::int64_t searches_cut_short = 0;   ///< see NearPairs
  std::vector<std::int64_t> constant;    ///< every pixel the same
  std::vector<std::int64_t> blank;       ///< nearly so: contrast 1, and not constant
  std::vector<std::int64_t> upscaled;    ///< smaller than they are stored
  Spread width, height, aspect;          ///< of the source images; aspect: width / height
  Spread contrast;
  std::vector<Spread> channel_means;  ///< [channel], over the images
  std::vector<SplitBalance> balance;  ///< in the manifest's order

  std::int64_t count(Finding finding) const;
  /// By name, all of them: what the manifest keeps.
  std::map<std::string, std::int64_t> counts() const;
};

/// Of pictures that may be near duplicates: levels of grey, pixels.
inline constexpr int least_contrast = 4, least_side = 64;

Audit audit(const std::vector<ImageRow>& rows, const Manifest& manifest, std::int64_t threads);

}  // namespace lockstep::preprocess
