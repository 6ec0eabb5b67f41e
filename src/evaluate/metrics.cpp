#include "lockstep/evaluate/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

double ratio(double part, double whole) { return whole == 0 ? 0.0 : part / whole; }

std::vector<ClassMetrics> class_metrics(const std::vector<std::vector<std::int64_t>>& confusion) {
  std::vector<ClassMetrics> all(confusion.size());
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    std::int64_t predicted = 0;
    for (std::size_t other = 0; other < confusion.size(); ++other) {
      all[c].support += confusion[c][other];
      predicted += confusion[other][c];
    }
    const auto hits = static_cast<double>(confusion[c][c]);
    all[c].precision = ratio(hits, static_cast<double>(predicted));
    all[c].recall = ratio(hits, static_cast<double>(all[c].support));
    all[c].f1 = ratio(2 * hits, static_cast<double>(predicted + all[c].support));
  }
  return all;
}

/// Macro means run over the classes that occur at all, as scikit-learn's do when it is given no list of labels.
void set_macro(Metrics& metrics) {
  double occurring = 0;
  for (std::size_t c = 0; c < metrics.classes.size(); ++c) {
    std::int64_t predicted = 0;
    for (const auto& row : metrics.confusion) predicted += row[c];
    if (metrics.classes[c].support + predicted == 0) continue;
    ++occurring;
    metrics.macro_precision += metrics.classes[c].precision;
    metrics.macro_recall += metrics.classes[c].recall;
    metrics.macro_f1 += metrics.classes[c].f1;
  }
  for (double* value : {&metrics.macro_precision, &metrics.macro_recall, &metrics.macro_f1})
    *value = ratio(*value, occurring);
}

/// The Mann–Whitney form: mean rank of the positives, equal scores sharing their mean rank.
std::optional<double> auc_of_class(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                   std::int64_t classes, std::int64_t positive) {
  std::vector<std::pair<float, bool>> scored;
  scored.reserve(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    scored.emplace_back(probabilities[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(positive)],
                        labels[i] == positive);
  }
  std::sort(scored.begin(), scored.end());
  double rank_sum = 0, positives = 0;
  for (std::size_t i = 0; i < scored.size();) {
    std::size_t end = i + 1;  // at least one step, whatever the scores
    double here = scored[i].second ? 1 : 0;
    for (; end < scored.size() && scored[end].first == scored[i].first; ++end) here += scored[end].second ? 1 : 0;
    rank_sum += here * (static_cast<double>(i + end + 1) / 2);
    positives += here;
    i = end;
  }
  const double negatives = static_cast<double>(scored.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

/// Of float or double.
template <typename Score>
Prediction predict_from(std::span<const Score> scores, std::int64_t id, std::int64_t label,
                        std::optional<std::int64_t> winner) {
  Prediction result{id, label, 0, 0, 0};
  const Score own = scores[static_cast<std::size_t>(label)];
  const Score top = *std::max_element(scores.begin(), scores.end());
  result.predicted = winner.value_or(std::find(scores.begin(), scores.end(), top) - scores.begin());
  double total = 0;
  for (std::size_t c = 0; c < scores.size(); ++c) {
    const auto number = static_cast<std::int64_t>(c);
    total += std::exp(static_cast<double>(scores[c]) - top);
    const bool before = scores[c] > own || (scores[c] == own && number < label);
    if (number == result.predicted ? number != label : before) ++result.rank;
  }
  if (result.predicted == label) result.rank = 0;
  result.loss = std::log(total) - (static_cast<double>(own) - top);
  return result;
}

nlohmann::ordered_json json_of(const Metrics& metrics, const std::vector<std::string>& class_names) {
  nlohmann::ordered_json json;
  json["samples"] = metrics.samples;
  if (metrics.scored) json["loss"] = metrics.loss;
  json["accuracy"] = metrics.accuracy;
  if (metrics.scored) json["top5_accuracy"] = metrics.top5;
  json["macro"] = {{"precision", metrics.macro_precision}, {"recall", metrics.macro_recall}, {"f1", metrics.macro_f1}};
  if (metrics.auc) json["macro"]["auc_one_vs_rest"] = *metrics.auc;
  json["classes"] = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < metrics.classes.size(); ++c) {
    const ClassMetrics& m = metrics.classes[c];
    json["classes"].push_back({{"name", class_names[c]},
                               {"support", m.support},
                               {"precision", m.precision},
                               {"recall", m.recall},
                               {"f1", m.f1}});
  }
  json["confusion_matrix"] = metrics.confusion;
  return json;
}

}  // namespace

double Metrics::score(Metric metric) const {
  switch (metric) {
    case Metric::accuracy:
      return accuracy;
    case Metric::macro_recall:
      return macro_recall;
    case Metric::macro_f1:
      return macro_f1;
    case Metric::auc:
      return auc.value_or(0.0);
    case Metric::loss:
      return -loss;
  }
  return 0;
}

Prediction predict(std::span<const float> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner) {
  return predict_from(scores, id, label, winner);
}

Prediction predict(std::span<const double> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner) {
  return predict_from(scores, id, label, winner);
}

Metrics compute_metrics(std::span<const Prediction> predictions, std::int64_t classes, bool scored) {
  if (predictions.empty()) throw Error("no labelled sample to judge", "metrics", "choose a split that has labels");
  const auto n = static_cast<std::size_t>(classes);
  Metrics metrics;
  metrics.samples = static_cast<std::int64_t>(predictions.size());
  metrics.scored = scored;
  metrics.confusion.assign(n, std::vector<std::int64_t>(n));
  std::int64_t top1 = 0, top5 = 0;
  for (const Prediction& p : predictions) {
    metrics.loss += p.loss;
    top1 += p.predicted == p.label ? 1 : 0;
    top5 += p.rank < 5 ? 1 : 0;
    ++metrics.confusion[static_cast<std::size_t>(p.label)][static_cast<std::size_t>(p.predicted)];
  }
  const auto samples = static_cast<double>(metrics.samples);
  metrics.loss /= samples;
  metrics.accuracy = static_cast<double>(top1) / samples;
  metrics.top5 = static_cast<double>(top5) / samples;
  metrics.classes = class_metrics(metrics.confusion);
  set_macro(metrics);
  return metrics;
}

std::optional<double> macro_auc(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                std::int64_t classes) {
  double total = 0;
  std::int64_t counted = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    if (const auto auc = auc_of_class(probabilities, labels, classes, c)) {
      total += *auc;
      ++counted;
    }
  }
  if (counted == 0) return std::nullopt;
  return total / static_cast<double>(counted);
}

std::string metrics_json(const Metrics& metrics, const std::vector<std::string>& class_names, const Judged& judged,
                         std::string_view before) {
  nlohmann::ordered_json json;
  json["weights"] = judged.weights;
  json.update(json_of(metrics, class_names));
  auto file = nlohmann::ordered_json::parse(before, nullptr, false);
  if (!file.is_object() || !file.contains("splits"))
    file = {{"format_version", 1}, {"splits", nlohmann::ordered_json::object()}};
  file["splits"][judged.split] = json;
  return file.dump(2) + "\n";
}

std::string metrics_object(const Metrics& metrics, const std::vector<std::string>& class_names) {
  return json_of(metrics, class_names).dump();
}

std::string format_metrics(const Metrics& metrics, const std::vector<std::string>& class_names) {
  std::string text = fmt::format("{} samples: ", metrics.samples);
  if (metrics.scored) text += fmt::format("loss {:.4f}, ", metrics.loss);
  text += fmt::format("accuracy {:.2f} %, ", 100 * metrics.accuracy);
  if (metrics.scored) text += fmt::format("top-5 {:.2f} %, ", 100 * metrics.top5);
  text += fmt::format("macro F1 {:.4f}", metrics.macro_f1);
  if (metrics.auc) text += fmt::format(", AUC {:.4f}", *metrics.auc);
  std::size_t width = 5;
  for (const std::string& name : class_names) width = std::max(width, name.size());
  text += fmt::format("\n{:<{}}  {:>8}  {:>9}  {:>8}  {:>8}\n", "class", width, "samples", "precision", "recall", "F1");
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    const ClassMetrics& m = metrics.classes[c];
    text += fmt::format("{:<{}}  {:>8}  {:>9.4f}  {:>8.4f}  {:>8.4f}\n", class_names[c], width, m.support, m.precision,
                        m.recall, m.f1);
  }
  return text;
}

}  // namespace lockstep
