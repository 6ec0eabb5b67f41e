#include "preprocess/audit_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace lockstep::preprocess {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t listed = 10;  // lines of each finding in the table

constexpr std::array finding_texts = {
    "files refused",
    "images with the bytes of another one",
    "images that look like another one",
    "groups of images with the same bytes in more than one split",
    "groups of images that look alike in more than one split",
    "groups of images with the same bytes under more than one label",
    "groups of images that look alike under more than one label",
    "images of one colour, or nearly",
    "classes without an image in a split",
};  // [Finding]

const ImageRow& row_at(const Audited& of, std::int64_t id) { return of.rows[static_cast<std::size_t>(id)]; }

std::string label_of(const Audited& of, const ImageRow& row) {
  const auto label = static_cast<std::size_t>(row.label);
  return row.label >= 0 && label < of.manifest.classes.size() ? of.manifest.classes[label] : "";
}

/// "a/1.jpg (train, cat)".
std::string name_of(const Audited& of, std::int64_t id) {
  const ImageRow& row = row_at(of, id);
  const std::string label = label_of(of, row);
  std::string place(row.split.empty() ? name_of(row.status) : row.split.view());
  if (!label.empty()) place += ", " + label;
  return fmt::format("{} ({})", row.path, place);
}

/// Lines below a finding, the first few of them.
class Lines {
 public:
  explicit Lines(std::string& text) : text_(text) {}
  ~Lines() {
    if (count_ > listed) text_ += fmt::format("{:24}… and {} more\n", "", count_ - listed);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  void add(const std::string& line) {
    if (count_++ < listed) text_ += fmt::format("{:24}{}\n", "", line);
  }

 private:
  std::string& text_;
  std::size_t count_ = 0;
};

std::string group_line(const Audited& of, const ImageGroup& group) {
  constexpr std::size_t members = 4;
  std::string line;
  for (std::size_t i = 0; i < std::min(members, group.ids.size()); ++i)
    line += (i == 0 ? "" : group.identical ? " = " : " ~ ") + name_of(of, group.ids[i]);
  if (group.ids.size() > members) line += fmt::format(" and {} more", group.ids.size() - members);
  return line;
}

template <typename Chosen>
void add_groups(std::string& text, const Audit& audit, const Audited& of, const Chosen& chosen) {
  Lines lines(text);
  for (const ImageGroup& group : audit.groups) {
    if (chosen(group)) lines.add(group_line(of, group));
  }
}

void add_images(std::string& text, const Audited& of, std::initializer_list<const std::vector<std::int64_t>*> lists) {
  Lines lines(text);
  for (const auto* ids : lists) {
    for (const std::int64_t id : *ids) lines.add(name_of(of, id));
  }
}

void add_details(std::string& text, Finding finding, const Audit& audit, const Audited& of) {
  switch (finding) {
    case Finding::corrupt: {
      Lines lines(text);
      for (const Refusals& one : audit.refusals)
        lines.add(fmt::format("{} × {}: {}{}", one.ids.size(), one.reason, row_at(of, one.ids[0]).path,
                              one.ids.size() > 1 ? " …" : ""));
      return;
    }
    case Finding::duplicates:
      return add_groups(text, audit, of, [](const ImageGroup& group) { return group.identical; });
    case Finding::near_duplicates:
      return add_groups(text, audit, of, [](const ImageGroup& group) { return !group.identical; });
    case Finding::leakage:
      return add_groups(text, audit, of,
                        [](const ImageGroup& one) { return one.across_splits == Sameness::identical; });
    case Finding::near_leakage:
      return add_groups(text, audit, of, [](const ImageGroup& one) { return one.across_splits == Sameness::alike; });
    case Finding::conflicting_labels:
      return add_groups(text, audit, of,
                        [](const ImageGroup& one) { return one.labels_differ == Sameness::identical; });
    case Finding::near_conflicts:
      return add_groups(text, audit, of, [](const ImageGroup& one) { return one.labels_differ == Sameness::alike; });
    case Finding::blank:
      return add_images(text, of, {&audit.constant, &audit.blank});
    case Finding::empty_classes:
      break;
  }
  Lines lines(text);
  for (const SplitBalance& balance : audit.balance) {
    for (const std::size_t label : balance.empty_classes)
      lines.add(fmt::format("{} in {}", of.manifest.classes[label], balance.split));
  }
}

std::string balance_table(const Audit& audit) {
  std::string text = fmt::format("{:<16}{:>10}{:>16}{:>15}{:>10}{:>12}\n", "split", "labelled", "smallest class",
                                 "largest class", "ratio", "unlabelled");
  for (const SplitBalance& one : audit.balance) {
    std::int64_t sum = 0;
    for (const std::int64_t count : one.counts) sum += count;
    const auto [least, most] = std::ranges::minmax_element(one.counts);
    text += fmt::format("{:<16}{:>10}{:>16}{:>15}{:>10.1f}{:>12}\n", one.split, sum, one.counts.empty() ? 0 : *least,
                        one.counts.empty() ? 0 : *most, one.imbalance, one.unlabelled);
  }
  return text;
}

void add_spread(std::string& text, const std::string& name, const Spread& spread, const Audited& of) {
  if (spread.least_id < 0) return;
  text += fmt::format("{:<16}{:>10.4g}{:>10.4g}{:>10.4g}  {} … {}\n", name, spread.least, spread.median, spread.most,
                      row_at(of, spread.least_id).path, row_at(of, spread.most_id).path);
}

std::string spread_table(const Audit& audit, const Audited& of) {
  std::string text = fmt::format("{:<16}{:>10}{:>10}{:>10}  smallest … largest\n", "images", "least", "median", "most");
  add_spread(text, "width", audit.width, of);
  add_spread(text, "height", audit.height, of);
  add_spread(text, "width / height", audit.aspect, of);
  add_spread(text, "contrast", audit.contrast, of);
  for (std::size_t c = 0; c < audit.channel_means.size(); ++c)
    add_spread(text, fmt::format("mean, channel {}", c), audit.channel_means[c], of);
  return text;
}

std::string_view name_of(Sameness sameness) {
  constexpr std::array<std::string_view, 3> names = {"none", "alike", "identical"};  // [Sameness]
  return names[static_cast<std::size_t>(sameness)];
}

Json image_json(const Audited& of, std::int64_t id) {
  const ImageRow& row = row_at(of, id);
  const std::string label = label_of(of, row);
  return {{"id", id},
          {"path", row.path},
          {"split", row.split},
          {"label", row.label < 0 ? Json() : Json(label)},
          {"content", row.fingerprint.taken() ? fmt::format("{:016x}", row.fingerprint.content) : ""}};
}

Json images_json(const Audited& of, const std::vector<std::int64_t>& ids) {
  Json list = Json::array();
  for (const std::int64_t id : ids) list.push_back(image_json(of, id));
  return list;
}

Json spread_json(const Spread& spread) {
  if (spread.least_id < 0) return {};
  return {{"least", spread.least},
          {"median", spread.median},
          {"most", spread.most},
          {"least_id", spread.least_id},
          {"most_id", spread.most_id}};
}

Json balance_json(const SplitBalance& one, const Audited& of) {
  Json counts = Json::object(), empty = Json::array();
  for (std::size_t label = 0; label < one.counts.size(); ++label)
    counts[of.manifest.classes[label]] = one.counts[label];
  for (const std::size_t label : one.empty_classes) empty.push_back(of.manifest.classes[label]);
  return {{"name", one.split},
          {"counts", counts},
          {"unlabelled", one.unlabelled},
          {"imbalance", one.imbalance},
          {"empty_classes", empty}};
}

}  // namespace

std::string examples(Finding finding, const Audit& audit, const Audited& of) {
  const auto i = static_cast<std::size_t>(finding);
  std::string text = fmt::format("{:<18}{:>5} {}\n", finding_names[i], audit.count(finding), finding_texts[i]);
  add_details(text, finding, audit, of);
  text.pop_back();  // the last line's end
  return text;
}

std::string to_table(const Audit& audit, const Audited& of) {
  std::string text = fmt::format("{}: {} images, {} classes\n", of.data_set, audit.images, of.manifest.classes.size());
  if (audit.left_out > 0) text += fmt::format("{} duplicates were left out while packing\n", audit.left_out);
  if (audit.without_fingerprint > 0) {
    text += fmt::format("{} images without fingerprints (packed by an earlier version): no duplicates are looked for\n",
                        audit.without_fingerprint);
  }
  text += "\n";
  for (std::size_t i = 0; i < finding_names.size(); ++i) text += examples(static_cast<Finding>(i), audit, of) + "\n";
  text += fmt::format("{:<18}{:>5} images smaller than the {} × {} pixels they are stored in\n", "enlarged",
                      audit.upscaled.size(), of.manifest.shape.width, of.manifest.shape.height);
  add_images(text, of, {&audit.upscaled});
  if (audit.searches_cut_short > 0)
    text += fmt::format("crowds of alike images: {} searches were cut short\n", audit.searches_cut_short);
  return text + "\n" + balance_table(audit) + "\n" + spread_table(audit, of);
}

std::string to_json(const Audit& audit, const Audited& of) {
  Json refused = Json::array(), groups = Json::array(), splits = Json::array(), channels = Json::array();
  for (const Refusals& one : audit.refusals)
    refused.push_back({{"reason", one.reason}, {"images", images_json(of, one.ids)}});
  for (const ImageGroup& one : audit.groups) {
    groups.push_back({{"identical", one.identical},
                      {"bits", one.bits},
                      {"across_splits", name_of(one.across_splits)},
                      {"labels_differ", name_of(one.labels_differ)},
                      {"images", images_json(of, one.ids)}});
  }
  for (const SplitBalance& one : audit.balance) splits.push_back(balance_json(one, of));
  for (const Spread& one : audit.channel_means) channels.push_back(spread_json(one));
  const Json root = {{"data_set", of.data_set},
                     {"images", audit.images},
                     {"left_out", audit.left_out},
                     {"without_fingerprint", audit.without_fingerprint},
                     {"findings", audit.counts()},
                     {"searches_cut_short", audit.searches_cut_short},
                     {"refused", refused},
                     {"groups", groups},
                     {"constant", images_json(of, audit.constant)},
                     {"blank", images_json(of, audit.blank)},
                     {"upscaled", images_json(of, audit.upscaled)},
                     {"splits", splits},
                     {"sizes",
                      {{"width", spread_json(audit.width)},
                       {"height", spread_json(audit.height)},
                       {"aspect", spread_json(audit.aspect)}}},
                     {"contrast", spread_json(audit.contrast)},
                     {"channel_means", channels},
                     {"mean", of.manifest.mean},
                     {"std", of.manifest.std}};
  return root.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string one_line(const Audit& audit) {
  std::string text;
  for (std::size_t i = 0; i < finding_names.size(); ++i) {
    const std::int64_t count = audit.count(static_cast<Finding>(i));
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : " · ", count, finding_names[i]);
  }
  return text;
}

}  // namespace lockstep::preprocess
