#include "lockstep/evaluate/metric_choice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

/// Undefined, or always 0, where there is one class alone.
bool needs_two_classes(Metric metric) {
  return metric == Metric::auc || metric == Metric::kappa || metric == Metric::mcc;
}

bool averages_classes(Metric metric) {
  return metric == Metric::auc || metric == Metric::average_precision || metric == Metric::macro_recall ||
         metric == Metric::macro_f1 || metric == Metric::balanced_accuracy;
}

std::vector<std::int64_t> counts_of(const Manifest& manifest, const std::vector<std::string>& splits) {
  std::vector<std::int64_t> counts(manifest.classes.size());
  for (const std::string& name : splits) {
    const SplitEntry& split = manifest.split(name);
    for (std::size_t c = 0; c < counts.size(); ++c) counts[c] += split.class_counts[c];
  }
  return counts;
}

}  // namespace

KeepScores scores_for(Metric metric) {
  return metric == Metric::auc || metric == Metric::average_precision ? KeepScores::on_every_rank : KeepScores::nowhere;
}

void require_labels(const Manifest& manifest, const std::vector<std::string>& splits, const std::string& option) {
  const std::vector<std::int64_t> counts = counts_of(manifest, splits);
  if (std::ranges::any_of(counts, [](std::int64_t count) { return count > 0; })) return;
  throw Error(fmt::format("no sample of {} has a label to judge by", fmt::join(splits, "+")), option,
              "name a split with labels: lockstep predict is for images without");
}

std::string check_metric(Metric metric, const Manifest& manifest, const std::vector<std::string>& splits) {
  require_labels(manifest, splits, "--eval-split");
  const std::vector<std::int64_t> counts = counts_of(manifest, splits);
  const std::string where = fmt::format("{}", fmt::join(splits, "+"));
  std::vector<std::string> absent, present;
  for (std::size_t c = 0; c < counts.size(); ++c)
    (counts[c] == 0 ? absent : present).push_back("'" + manifest.classes[c] + "'");
  if (present.size() == 1 && needs_two_classes(metric))
    throw Error(fmt::format("{} is not defined on {}: all its samples are of class {}", name_of(metric), where,
                            present.front()),
                "--metric", "choose accuracy or loss, or judge on a split with several classes");
  if (absent.empty() || !averages_classes(metric)) return "";
  return fmt::format("note: {} of the {} classes have no sample in {} ({}): {} says nothing of them", absent.size(),
                     counts.size(), where, first_of(absent), name_of(metric));
}

}  // namespace lockstep
