#include "preprocess/drop_duplicates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace lockstep::preprocess {
namespace {

struct Known {
  std::size_t id;
  SourceBytes bytes;
};

bool same(const Known& a, const Known& b) { return a.bytes.count == b.bytes.count && a.bytes.digest == b.bytes.digest; }

class Comparison {
 public:
  Comparison(const Listing& listing, const Source& source, std::int64_t threads)
      : listing_(listing), source_(source), threads_(threads) {
    for (std::size_t id = 0; id < listing.candidates.size(); ++id) {
      if (listing.candidates[id].refusal.empty()) known_.push_back({id, {}});
    }
  }

  /// All candidates that are the same as another one, group by group, ids ascending within each.
  const std::vector<Known>& run() {
    for (const BytesWanted wanted : {BytesWanted::count, BytesWanted::beginning, BytesWanted::all}) {
      read(wanted);
      keep_alike();
    }
    return known_;
  }

 private:
  void read(BytesWanted wanted) {
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
      try {
        for (std::size_t at = next++; at < known_.size(); at = next++) {
          const std::size_t id = known_[at].id;
          known_[at].bytes = source_.bytes_of(static_cast<std::int64_t>(id), listing_.candidates[id], wanted);
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
      }
    };
    {
      std::vector<std::jthread> others;
      for (std::int64_t i = 1; i < threads_; ++i) others.emplace_back(work);
      work();
    }
    if (failure) std::rethrow_exception(failure);
  }

  void keep_alike() {
    std::ranges::sort(known_, {},
                      [](const Known& one) { return std::tuple(one.bytes.count, one.bytes.digest, one.id); });
    std::vector<Known> alike;
    for (std::size_t at = 0; at < known_.size(); ++at) {
      const bool as_before = at > 0 && same(known_[at - 1], known_[at]);
      const bool as_after = at + 1 < known_.size() && same(known_[at], known_[at + 1]);
      if (known_[at].bytes.count > 0 && (as_before || as_after)) alike.push_back(known_[at]);
    }
    known_ = std::move(alike);
  }

  const Listing& listing_;
  const Source& source_;
  std::int64_t threads_;
  std::vector<Known> known_;
};

/// Less is kept.
int order_of(const Candidate& candidate, const std::set<std::string>& in_set) {
  const SharedText& split = candidate.given_split;
  if (in_set.contains(candidate.path)) return -1;
  if (split == "test") return 0;
  if (split == "validation") return 1;
  return split == "train" || split.empty() ? 3 : 2;
}

struct Counts {
  std::int64_t left_out = 0, other_label = 0;
};

void mark_group(Listing& listing, std::span<const Known> group, const std::set<std::string>& in_set, Counts& counts) {
  const auto candidate = [&](const Known& one) -> Candidate& { return listing.candidates[one.id]; };
  const Known& kept =
      *std::ranges::min_element(group, {}, [&](const Known& one) { return order_of(candidate(one), in_set); });
  for (const Known& one : group) {
    if (one.id == kept.id) continue;
    listing.duplicate_of[static_cast<std::int64_t>(one.id)] = static_cast<std::int64_t>(kept.id);
    candidate(one).refusal = fmt::format("the same bytes as {}", candidate(kept).path);
    ++counts.left_out;
    if (candidate(one).label != candidate(kept).label) ++counts.other_label;
  }
}

}  // namespace

void mark_duplicates(Listing& listing, const Source& source, const std::set<std::string>& in_set,
                     std::int64_t threads) {
  const std::vector<Known> all = Comparison(listing, source, threads).run();
  Counts counts;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    while (end < all.size() && same(all[begin], all[end])) ++end;
    mark_group(listing, std::span(all).subspan(begin, end - begin), in_set, counts);
  }
  std::string note = fmt::format("{} duplicates are left out", counts.left_out);
  if (counts.other_label > 0)
    note +=
        fmt::format(", {} of them with another label than the image that is kept: look at --audit", counts.other_label);
  listing.notes.push_back(note);
}

}  // namespace lockstep::preprocess
