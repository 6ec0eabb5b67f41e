// Everything metrics.json says of a split, computed from its predictions alone, and the texts it is shown and kept as.
//
// The same predictions give the same bytes, whoever made or kept them. One-vs-rest, micro and macro areas are exact;
// curves are thinned to `curve_points` points, fewer where there are more than 128 classes. Micro figures rank all
// pairs of sample and class: above `most_ranked` of them they are left out, and a note says so. Pure functions;
// thread-safe. Time O(samples · classes · log) and that of bootstrap.hpp; memory: 8 bytes a pair of sample and class
// beside `samples` while micro figures are made, and 64 bytes a sample for those of the classes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/evaluate/metrics.hpp"

namespace lockstep {

inline constexpr std::int64_t curve_points = 128;
inline constexpr std::int64_t most_ranked = std::int64_t{1} << 27;

struct MetricSettings {
  std::int64_t bins = 15;  ///< of the reliability curve
  BootstrapSettings bootstrap;
};

/// `samples`: at least one. `class_names`: [class], for the notes.
Metrics full_metrics(const JudgedSamples& samples, const std::vector<std::string>& class_names,
                     const MetricSettings& settings);

/// The figures of `scores` [sample · classes] of judged `samples` divided by the temperature that suits `fit_scores`
/// and `fit_labels` best. `fitted_on`: the name of those.
Rescaled rescale(const JudgedSamples& samples, std::span<const double> scores, const std::string& fitted_on,
                 std::span<const double> fit_scores, std::span<const std::int64_t> fit_labels, std::int64_t bins);

/// What was judged.
struct Judged {
  std::string split;
  std::string weights;  ///< "best" or "last"
};

/// The content of metrics.json: one object per evaluated split. `before`: the file's content so far (may be empty), of
/// which other splits are kept. `more`: a JSON object whose fields come behind the metrics. Doubles are written so that
/// they read back exactly: equal metrics are equal bytes.
std::string metrics_json(const Metrics& metrics, const std::vector<std::string>& class_names, const Judged& judged,
                         std::string_view before = {}, std::string_view more = {});

/// The same metrics as one object, without the file around it.
std::string metrics_object(const Metrics& metrics, const std::vector<std::string>& class_names);

/// A table for a person: of many classes those that are predicted worst.
std::string format_metrics(const Metrics& metrics, const std::vector<std::string>& class_names);

}  // namespace lockstep
