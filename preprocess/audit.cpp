#include "preprocess/audit.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "preprocess/near_duplicates.hpp"

namespace lockstep::preprocess {
namespace {

using Ids = std::vector<std::int64_t>;

const ImageRow& row_at(const std::vector<ImageRow>& rows, std::int64_t id) {
  return rows[static_cast<std::size_t>(id)];
}

bool is_in_set(const ImageRow& row) { return row.status == ImageStatus::ok; }

/// Sets of ids that are joined two by two; each set is known by its smallest id.
class Joins {
 public:
  explicit Joins(std::size_t count) : parents_(count), bits_(count, 0) {
    std::iota(parents_.begin(), parents_.end(), 0);
  }

  std::size_t root(std::size_t id) {
    while (parents_[id] != id) id = parents_[id] = parents_[parents_[id]];
    return id;
  }
  void join(std::size_t a, std::size_t b, int bits) {
    a = root(a);
    b = root(b);
    if (a > b) std::swap(a, b);
    parents_[b] = a;
    bits_[a] = std::max({bits_[a], bits_[b], bits});
  }
  /// Largest distance of two that were joined into this set.
  int bits(std::size_t root) const { return bits_[root]; }

 private:
  std::vector<std::size_t> parents_;
  std::vector<int> bits_;  // [root]
};

/// `ids` sorted by what `key` makes of a row, ids with equal keys ascending and side by side.
template <typename Key>
void sort_by(Ids& ids, const std::vector<ImageRow>& rows, const Key& key) {
  std::ranges::sort(ids, [&](std::int64_t a, std::int64_t b) {
    const auto first = key(row_at(rows, a)), second = key(row_at(rows, b));
    return first != second ? first < second : a < b;
  });
}

/// Calls `action` with each stretch of ids that are equal in `key`.
template <typename Key, typename Action>
void for_equal(const Ids& sorted, const std::vector<ImageRow>& rows, const Key& key, const Action& action) {
  for (std::size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
    while (end < sorted.size() && key(row_at(rows, sorted[end])) == key(row_at(rows, sorted[begin]))) ++end;
    action(std::span(sorted).subspan(begin, end - begin));
  }
}

auto content_of(const ImageRow& row) { return std::pair(row.fingerprint.bytes, row.fingerprint.content); }
const Look& look_of(const ImageRow& row) { return row.fingerprint.look; }

void join_equal_bytes(const std::vector<ImageRow>& rows, Joins& joins, Audit& result) {
  Ids ids;
  for (std::size_t id = 0; id < rows.size(); ++id) {
    if (rows[id].fingerprint.taken()) ids.push_back(static_cast<std::int64_t>(id));
  }
  sort_by(ids, rows, content_of);
  for_equal(ids, rows, content_of, [&](std::span<const std::int64_t> same) {
    const auto present = std::ranges::count_if(same, [&](std::int64_t id) { return is_in_set(row_at(rows, id)); });
    result.copies += std::max<std::int64_t>(0, present - 1);
    for (const std::int64_t id : same) joins.join(static_cast<std::size_t>(same[0]), static_cast<std::size_t>(id), 0);
  });
}

/// Whether the picture has enough to it to be told from others by its look.
bool has_a_look(const ImageRow& row) {
  return row.fingerprint.taken() && row.fingerprint.contrast >= least_contrast &&
         std::min(row.width, row.height) >= least_side;
}

void join_alike(const std::vector<ImageRow>& rows, std::int64_t threads, Joins& joins, Audit& result) {
  Ids ids;
  for (std::size_t id = 0; id < rows.size(); ++id) {
    const ImageRow& row = rows[id];
    if (is_in_set(row) && has_a_look(row)) ids.push_back(static_cast<std::int64_t>(id));
  }
  sort_by(ids, rows, look_of);
  Ids first;  // [position in looks], one image of each look
  std::vector<Look> looks;
  for_equal(ids, rows, look_of, [&](std::span<const std::int64_t> same) {
    for (const std::int64_t id : same) joins.join(static_cast<std::size_t>(same[0]), static_cast<std::size_t>(id), 0);
    first.push_back(same[0]);
    looks.push_back(look_of(row_at(rows, same[0])));
  });
  const NearPairs near = find_near_pairs(looks, threads);
  for (const NearPair& pair : near.pairs)
    joins.join(static_cast<std::size_t>(first[pair.first]), static_cast<std::size_t>(first[pair.second]), pair.bits);
  result.searches_cut_short = near.cut_short;
}

/// Where the images of one content lie and what they are called.
struct Places {
  std::set<std::string> splits;   ///< of those in the set
  std::set<std::int32_t> labels;  ///< known ones, also of duplicates that were left out
};

Sameness sameness(bool of_all, bool of_one_content) {
  if (!of_all) return Sameness::none;
  return of_one_content ? Sameness::identical : Sameness::alike;
}

/// What is known of a group from its members; no group if there is nothing to tell.
std::optional<ImageGroup> describe(Ids ids, int bits, const std::vector<ImageRow>& rows, Audit& result) {
  std::map<std::pair<std::int64_t, std::uint64_t>, Places> contents;
  Places all;
  std::int64_t present = 0;
  for (const std::int64_t id : ids) {
    const ImageRow& row = row_at(rows, id);
    Places& places = contents[content_of(row)];
    if (row.label >= 0) {
      all.labels.insert(row.label);
      places.labels.insert(row.label);
    }
    if (!is_in_set(row)) continue;
    ++present;
    all.splits.insert(row.split);
    places.splits.insert(row.split);
  }
  const bool leaks = std::ranges::any_of(contents, [](const auto& one) { return one.second.splits.size() > 1; });
  const bool differs = std::ranges::any_of(contents, [](const auto& one) { return one.second.labels.size() > 1; });
  ImageGroup group{
      {}, contents.size() == 1, bits, sameness(all.splits.size() > 1, leaks), sameness(all.labels.size() > 1, differs)};
  const bool conflict = group.labels_differ != Sameness::none;
  if (present < 2 && !conflict) return std::nullopt;
  if (!conflict) std::erase_if(ids, [&](std::int64_t id) { return !is_in_set(row_at(rows, id)); });
  result.near_copies += std::ssize(contents) - 1;
  group.ids = std::move(ids);
  return group;
}

void find_groups(const std::vector<ImageRow>& rows, std::int64_t threads, Audit& result) {
  Joins joins(rows.size());
  join_equal_bytes(rows, joins, result);
  join_alike(rows, threads, joins, result);
  std::map<std::size_t, Ids> members;  // root → ids
  for (std::size_t id = 0; id < rows.size(); ++id) {
    if (const std::size_t root = joins.root(id); root != id) {
      Ids& ids = members[root];
      if (ids.empty()) ids.push_back(static_cast<std::int64_t>(root));
      ids.push_back(static_cast<std::int64_t>(id));
    }
  }
  for (auto& [root, ids] : members) {
    if (auto group = describe(std::move(ids), joins.bits(root), rows, result)) result.groups.push_back(*group);
  }
}

void find_refusals(const std::vector<ImageRow>& rows, Audit& result) {
  std::map<std::string, Ids> by_reason;
  for (std::size_t id = 0; id < rows.size(); ++id) {
    if (rows[id].status == ImageStatus::refused) by_reason[rows[id].reason].push_back(static_cast<std::int64_t>(id));
    if (rows[id].status == ImageStatus::duplicate) ++result.left_out;
  }
  for (auto& [reason, ids] : by_reason) result.refusals.push_back({reason, std::move(ids)});
  std::ranges::stable_sort(result.refusals, std::greater(), [](const Refusals& one) { return one.ids.size(); });
}

/// How many times larger a picture is stored than it was; see resize.hpp.
double enlargement(const ImageRow& row, const Manifest& manifest) {
  const double x = static_cast<double>(manifest.shape.width) / std::max(1, row.width);
  const double y = static_cast<double>(manifest.shape.height) / std::max(1, row.height);
  const auto resize = manifest.settings.find("resize");
  const bool pad = resize != manifest.settings.end() && resize->second == "pad";
  return pad ? std::min(x, y) : std::max(x, y);
}

void find_poor_pictures(const std::vector<ImageRow>& rows, const Manifest& manifest, Audit& result) {
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const ImageRow& row = rows[at];
    const auto id = static_cast<std::int64_t>(at);
    if (!is_in_set(row)) continue;
    ++result.images;
    if (enlargement(row, manifest) > 1) result.upscaled.push_back(id);
    const ImageFingerprint& print = row.fingerprint;
    if (!print.taken()) {
      ++result.without_fingerprint;
    } else if (print.least == print.most) {
      result.constant.push_back(id);
    } else if (print.contrast <= 1) {
      result.blank.push_back(id);
    }
  }
}

/// Of what `value` says of each image that is in the set and that `counts`.
template <typename Counts, typename Value>
Spread spread_of(const std::vector<ImageRow>& rows, const Counts& counts, const Value& value) {
  std::vector<double> values;
  Spread spread;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    if (!is_in_set(rows[at]) || !counts(rows[at])) continue;
    const double one = value(rows[at]);
    const auto id = static_cast<std::int64_t>(at);
    if (values.empty() || one < spread.least) std::tie(spread.least, spread.least_id) = std::pair(one, id);
    if (values.empty() || one > spread.most) std::tie(spread.most, spread.most_id) = std::pair(one, id);
    values.push_back(one);
  }
  if (values.empty()) return spread;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  spread.median = *middle;
  return spread;
}

void find_spreads(const std::vector<ImageRow>& rows, const Manifest& manifest, Audit& result) {
  const auto sized = [](const ImageRow& row) { return row.width > 0 && row.height > 0; };
  const auto taken = [](const ImageRow& row) { return row.fingerprint.taken(); };
  result.width = spread_of(rows, sized, [](const ImageRow& row) { return static_cast<double>(row.width); });
  result.height = spread_of(rows, sized, [](const ImageRow& row) { return static_cast<double>(row.height); });
  result.aspect =
      spread_of(rows, sized, [](const ImageRow& row) { return static_cast<double>(row.width) / row.height; });
  result.contrast =
      spread_of(rows, taken, [](const ImageRow& row) { return static_cast<double>(row.fingerprint.contrast); });
  for (std::size_t c = 0; c < static_cast<std::size_t>(manifest.shape.channels); ++c)
    result.channel_means.push_back(
        spread_of(rows, taken, [c](const ImageRow& row) { return static_cast<double>(row.fingerprint.mean[c]); }));
}

void find_balance(const Manifest& manifest, Audit& result) {
  for (const SplitEntry& split : manifest.splits) {
    SplitBalance balance{split.name, split.class_counts, split.samples, 1, {}};
    std::int64_t least = 0, most = 0;
    for (std::size_t label = 0; label < balance.counts.size(); ++label) {
      const std::int64_t count = balance.counts[label];
      balance.unlabelled -= count;
      if (count == 0) balance.empty_classes.push_back(label);
      if (count > 0) least = least == 0 ? count : std::min(least, count);
      most = std::max(most, count);
    }
    if (most == 0) balance.empty_classes.clear();
    if (most > 0) balance.imbalance = static_cast<double>(most) / static_cast<double>(least);
    result.balance.push_back(std::move(balance));
  }
}

}  // namespace

std::int64_t Audit::count(Finding finding) const {
  switch (finding) {
    case Finding::corrupt:
      return std::accumulate(refusals.begin(), refusals.end(), std::int64_t{0},
                             [](std::int64_t sum, const Refusals& one) { return sum + std::ssize(one.ids); });
    case Finding::duplicates:
      return copies;
    case Finding::near_duplicates:
      return near_copies;
    case Finding::leakage:
      return std::ranges::count(groups, Sameness::identical, &ImageGroup::across_splits);
    case Finding::near_leakage:
      return std::ranges::count(groups, Sameness::alike, &ImageGroup::across_splits);
    case Finding::conflicting_labels:
      return std::ranges::count(groups, Sameness::identical, &ImageGroup::labels_differ);
    case Finding::near_conflicts:
      return std::ranges::count(groups, Sameness::alike, &ImageGroup::labels_differ);
    case Finding::blank:
      return std::ssize(constant) + std::ssize(blank);
    case Finding::empty_classes:
      break;
  }
  return std::accumulate(balance.begin(), balance.end(), std::int64_t{0},
                         [](std::int64_t sum, const SplitBalance& one) { return sum + std::ssize(one.empty_classes); });
}

std::map<std::string, std::int64_t> Audit::counts() const {
  std::map<std::string, std::int64_t> all;
  for (std::size_t i = 0; i < finding_names.size(); ++i)
    all[std::string(finding_names[i])] = count(static_cast<Finding>(i));
  return all;
}

Audit audit(const std::vector<ImageRow>& rows, const Manifest& manifest, std::int64_t threads) {
  Audit result;
  find_refusals(rows, result);
  find_poor_pictures(rows, manifest, result);
  find_groups(rows, threads, result);
  find_spreads(rows, manifest, result);
  find_balance(manifest, result);
  return result;
}

}  // namespace lockstep::preprocess
