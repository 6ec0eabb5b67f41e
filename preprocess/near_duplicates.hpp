// Pairs of pictures that look nearly alike, found among millions without comparing all with all.
//
// Two looks (fingerprint.hpp) are near if at most `nearest_bits` of the 64 lowest frequencies differ and at most `bits`
// of all 256. Multi-index hashing finds them: the 64 bits are cut into four pieces, and of two words that differ in at
// most 11 bits one piece differs in at most two. So each look is compared with the earlier ones that have a piece that
// differs in none, then one, then two bits from its own: 1.4 % of all that there are, on photographs.
// Source: M. Norouzi, A. Punjani, D. Fleet, "Fast exact search in Hamming space with multi-index hashing" (2014).
//
// Crowds of alike pictures cannot make the search quadratic: in each piece it ends for a look at `links` near ones,
// which are enough to join it to its group, or after `comparisons`, which is counted. Memory: 50 bytes a look. Pure
// function; the result does not depend on the number of threads.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::preprocess {

using Look = std::array<std::uint64_t, 4>;

/// Measured on 874 photographs of ten classes of Caltech-101 and on copies that Pillow made of 219 of them
/// (2026-11-21). All pairs of the originals up to 70 bits apart are the same picture to the eye, the first that is not
/// has 71. Of the copies are found: encoded again (JPEG quality 20 to 90, PNG), of half, a quarter and double the size,
/// squeezed to a square, 15 % brighter: all; with 1 % cut off at each side: all; with 2, 3,
/// 5 % cut off: 96, 54, 5 of 100.
struct NearLimits {
  int nearest_bits = 11;
  int bits = 48;
  std::size_t links = 4;
  std::int64_t comparisons = 16384;
};

struct NearPair {
  std::uint32_t first, second;  ///< first < second, positions in the span
  int bits;                     ///< of 256
  bool operator==(const NearPair&) const = default;
};

struct NearPairs {
  std::vector<NearPair> pairs;  ///< by second, then by first
  std::int64_t cut_short = 0;   ///< searches that ended by NearLimits::comparisons, four at most for a look
};

int bits_apart(const Look& a, const Look& b);

/// `looks`: all different (equal ones make crowds for nothing), at most 2^32.
NearPairs find_near_pairs(std::span<const Look> looks, std::int64_t threads, const NearLimits& limits = {});

}  // namespace lockstep::preprocess
