#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "lockstep/evaluate/full_metrics.hpp"

namespace lockstep {
namespace {

/// "0.8123", or a dash where it is not defined.
std::string shown(const std::optional<double>& value) { return value ? fmt::format("{:.4f}", *value) : "–"; }

std::string share(double value, const std::optional<ConfidenceInterval>& interval) {
  std::string text = fmt::format("{:.2f} %", 100 * value);
  if (interval) text += fmt::format(" [{:.2f}, {:.2f}]", 100 * interval->low, 100 * interval->high);
  return text;
}

std::string figures(const Metrics& metrics) {
  std::optional<ConfidenceInterval> accuracy;
  if (metrics.intervals) accuracy = metrics.intervals->accuracy;
  std::string text = fmt::format("{} samples: ", metrics.samples);
  if (metrics.scored) text += fmt::format("loss {:.4f}, ", metrics.loss);
  text += fmt::format("accuracy {}, ", share(metrics.accuracy, accuracy));
  if (metrics.scored) text += fmt::format("top-5 {:.2f} %, ", 100 * metrics.top5);
  text += fmt::format("macro F1 {:.4f}", metrics.macro.f1);
  if (metrics.macro.auc) text += fmt::format(", AUC {:.4f}", *metrics.macro.auc);
  text += fmt::format("\nbalanced accuracy {:.2f} %, weighted F1 {:.4f}, kappa {}, MCC {:.4f}",
                      100 * metrics.balanced_accuracy, metrics.weighted.f1, shown(metrics.kappa), metrics.matthews);
  if (metrics.ranked) text += fmt::format(", average precision {}", shown(metrics.macro.average_precision));
  if (metrics.calibration) text += fmt::format(", ECE {:.4f}", metrics.calibration->expected_error);
  return text + "\n";
}

std::string temperature_line(const Rescaled& rescaled) {
  if (!rescaled.fit.temperature)
    return fmt::format("no temperature of {}: {}\n", rescaled.fitted_on, rescaled.fit.why_none);
  return fmt::format("with temperature {:.4f}, fitted on {} ({} samples): loss {:.4f}, ECE {:.4f}\n",
                     *rescaled.fit.temperature, rescaled.fitted_on, rescaled.fit_samples, rescaled.loss,
                     rescaled.calibration.expected_error);
}

/// Classes in the order of the table: all by number, or the worst by F1.
std::vector<std::size_t> shown_classes(const Metrics& metrics) {
  constexpr std::size_t most = 50, worst = 20;
  std::vector<std::size_t> order(metrics.classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (order.size() <= most) return order;
  std::ranges::stable_sort(order, {}, [&](std::size_t c) { return metrics.classes[c].f1; });
  order.resize(worst);
  return order;
}

}  // namespace

std::string format_metrics(const Metrics& metrics, const std::vector<std::string>& class_names) {
  std::string text = figures(metrics);
  if (metrics.rescaled) text += temperature_line(*metrics.rescaled);
  const std::vector<std::size_t> order = shown_classes(metrics);
  std::size_t width = 5;
  for (const std::size_t c : order) width = std::max(width, class_names[c].size());
  text += fmt::format("{:<{}}  {:>8}  {:>9}  {:>8}  {:>8}", "class", width, "samples", "precision", "recall", "F1");
  text += metrics.ranked ? fmt::format("  {:>8}  {:>8}\n", "AUC", "AP") : "\n";
  for (const std::size_t c : order) {
    const ClassMetrics& m = metrics.classes[c];
    text += fmt::format("{:<{}}  {:>8}  {:>9.4f}  {:>8.4f}  {:>8.4f}", class_names[c], width, m.support, m.precision,
                        m.recall, m.f1);
    text += metrics.ranked ? fmt::format("  {:>8}  {:>8}\n", shown(m.auc), shown(m.average_precision)) : "\n";
  }
  if (order.size() < class_names.size())
    text += fmt::format("these are the {} of the lowest F1; {} more classes are in the JSON\n", order.size(),
                        class_names.size() - order.size());
  for (const std::string& note : metrics.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace lockstep
