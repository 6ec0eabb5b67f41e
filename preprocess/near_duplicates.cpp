#include "preprocess/near_duplicates.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <mutex>
#include <thread>

namespace lockstep::preprocess {
namespace {

constexpr std::size_t pieces = 4, piece_bits = 16, piece_values = std::size_t{1} << piece_bits;

std::uint32_t piece_of(std::uint64_t word, std::size_t piece) {
  return static_cast<std::uint32_t>(word >> (piece * piece_bits)) & (piece_values - 1);
}

/// Popcount in plain operations: a call into the compiler's library otherwise, on processors of before 2008 and in
/// builds for all of them.
int count_bits(std::uint64_t word) {
  word -= word >> 1 & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
  word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
  return static_cast<int>(word * 0x0101010101010101u >> 56);
}

void append(NearPairs& all, const NearPairs& part) {
  all.pairs.insert(all.pairs.end(), part.pairs.begin(), part.pairs.end());
  all.cut_short += part.cut_short;
}

/// A look's first word in an index, beside where it belongs: the scan reads nothing else.
struct Entry {
  std::uint64_t word;
  std::uint32_t position;
};

/// The looks sorted by one piece of their first words.
class PieceIndex {
 public:
  PieceIndex(std::span<const Look> looks, std::size_t piece) : begins_(piece_values + 1), entries_(looks.size()) {
    for (const Look& look : looks) ++begins_[piece_of(look[0], piece) + 1];
    for (std::size_t value = 0; value < piece_values; ++value) begins_[value + 1] += begins_[value];
    std::vector<std::uint32_t> next(begins_.begin(), begins_.end() - 1);
    for (std::size_t at = 0; at < looks.size(); ++at)
      entries_[next[piece_of(looks[at][0], piece)]++] = {looks[at][0], static_cast<std::uint32_t>(at)};
  }

  /// Those with this value of the piece, by position.
  std::span<const Entry> with(std::size_t value) const {
    return std::span(entries_).subspan(begins_[value], begins_[value + 1] - begins_[value]);
  }

 private:
  std::vector<std::uint32_t> begins_;  // [value of the piece], one more: the end
  std::vector<Entry> entries_;
};

/// What differs in a piece: nothing, then one bit, then two.
std::vector<std::uint32_t> make_differences() {
  std::vector<std::uint32_t> differences{0};
  for (std::uint32_t a = 0; a < piece_bits; ++a) differences.push_back(1u << a);
  for (std::uint32_t a = 0; a < piece_bits; ++a) {
    for (std::uint32_t b = 0; b < a; ++b) differences.push_back(1u << a | 1u << b);
  }
  return differences;
}

/// The pairs that one piece finds. Looks that share its value are compared with one other value's after the other, so
/// that these stay in the processor's cache (looking up one look after the other took 20 times as long).
class PieceSearch {
 public:
  PieceSearch(std::span<const Look> looks, const NearLimits& limits, std::size_t piece)
      : looks_(looks), limits_(limits), index_(looks, piece) {}

  /// For the looks with this value of the piece. Any number of threads at once, each with values of its own.
  NearPairs with(std::size_t value) const {
    const std::span<const Entry> mine = index_.with(value);
    NearPairs found;
    std::vector<Progress> progress(mine.size());
    for (const std::uint32_t difference : differences_) {
      const std::span<const Entry> others = index_.with(value ^ difference);
      for (std::size_t i = 0; i < mine.size() && !others.empty(); ++i) compare(mine[i], others, progress[i], found);
    }
    for (const Progress& one : progress) found.cut_short += one.comparisons >= limits_.comparisons ? 1 : 0;
    return found;
  }

 private:
  static constexpr std::int64_t confirmation = 8;  // comparisons that the look in all its bits, from elsewhere, costs
  struct Progress {
    std::int64_t comparisons = 0;
    std::size_t links = 0;
  };

  void compare(const Entry& mine, std::span<const Entry> others, Progress& progress, NearPairs& found) const {
    if (progress.links >= limits_.links) return;
    const auto room = static_cast<std::size_t>(std::max<std::int64_t>(0, limits_.comparisons - progress.comparisons));
    const std::size_t count = std::min(others.size(), room);
    for (std::size_t i = 0; i < count && others[i].position < mine.position; ++i) {
      ++progress.comparisons;
      if (count_bits(others[i].word ^ mine.word) > limits_.nearest_bits) continue;
      progress.comparisons += confirmation;
      const int bits = bits_apart(looks_[others[i].position], looks_[mine.position]);
      if (bits > limits_.bits) continue;
      found.pairs.push_back({others[i].position, mine.position, bits});
      if (++progress.links >= limits_.links) return;
    }
  }

  std::span<const Look> looks_;
  const NearLimits& limits_;
  PieceIndex index_;
  std::vector<std::uint32_t> differences_ = make_differences();
};

/// One piece's pairs, by several threads.
NearPairs search_piece(const PieceSearch& search, std::int64_t threads) {
  constexpr std::size_t block = 256;  // values, taken by a thread at a time
  std::vector<NearPairs> blocks(piece_values / block);
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t number = next++; number < blocks.size(); number = next++) {
        for (std::size_t value = number * block; value < (number + 1) * block; ++value)
          append(blocks[number], search.with(value));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::int64_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  NearPairs all;
  for (const NearPairs& part : blocks) append(all, part);
  return all;
}

}  // namespace

int bits_apart(const Look& a, const Look& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) bits += count_bits(a[i] ^ b[i]);
  return bits;
}

NearPairs find_near_pairs(std::span<const Look> looks, std::int64_t threads, const NearLimits& limits) {
  NearPairs all;
  for (std::size_t piece = 0; piece < pieces; ++piece)
    append(all, search_piece(PieceSearch(looks, limits, piece), threads));
  const auto key = [](const NearPair& pair) { return std::pair(pair.second, pair.first); };
  std::ranges::sort(all.pairs, {}, key);
  all.pairs.erase(std::unique(all.pairs.begin(), all.pairs.end()), all.pairs.end());  // found through several pieces
  return all;
}

}  // namespace lockstep::preprocess
