#include "lockstep/evaluate/class_counts.hpp"

#include <cmath>

namespace lockstep {
namespace {

double ratio(double part, double whole) { return whole == 0 ? 0.0 : part / whole; }
double number(std::int64_t count) { return static_cast<double>(count); }

/// Sum over the classes of the product of two counts.
double product(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += number(a[c]) * number(b[c]);
  return sum;
}

}  // namespace

double precision_of(const ClassCounts& counts, std::size_t c) {
  return ratio(number(counts.hits[c]), number(counts.predicted[c]));
}

double recall_of(const ClassCounts& counts, std::size_t c) {
  return ratio(number(counts.hits[c]), number(counts.labels[c]));
}

double f1_of(const ClassCounts& counts, std::size_t c) {
  return ratio(2 * number(counts.hits[c]), number(counts.predicted[c] + counts.labels[c]));
}

double macro_of(const ClassCounts& counts, double (*figure)(const ClassCounts&, std::size_t)) {
  double sum = 0, occurring = 0;
  for (std::size_t c = 0; c < counts.classes(); ++c) {
    if (!counts.occurs(c)) continue;
    ++occurring;
    sum += figure(counts, c);
  }
  return ratio(sum, occurring);
}

double weighted_of(const ClassCounts& counts, double (*figure)(const ClassCounts&, std::size_t)) {
  double sum = 0;
  for (std::size_t c = 0; c < counts.classes(); ++c) sum += number(counts.labels[c]) * figure(counts, c);
  return ratio(sum, number(counts.samples));
}

double accuracy_of(const ClassCounts& counts) { return ratio(number(counts.right), number(counts.samples)); }

double balanced_accuracy_of(const ClassCounts& counts) {
  double sum = 0, present = 0;
  for (std::size_t c = 0; c < counts.classes(); ++c) {
    if (counts.labels[c] == 0) continue;
    ++present;
    sum += recall_of(counts, c);
  }
  return ratio(sum, present);
}

std::optional<double> kappa_of(const ClassCounts& counts) {
  const double samples = number(counts.samples);
  const double by_chance = samples * samples - product(counts.labels, counts.predicted);
  if (by_chance == 0) return std::nullopt;
  return 1 - number(counts.samples - counts.right) * samples / by_chance;
}

double matthews_of(const ClassCounts& counts) {
  const double squared = number(counts.samples) * number(counts.samples);
  const double together = number(counts.right) * number(counts.samples) - product(counts.labels, counts.predicted);
  const double of_labels = squared - product(counts.labels, counts.labels),
               of_predicted = squared - product(counts.predicted, counts.predicted);
  if (of_labels == 0 || of_predicted == 0) return 0;
  return together / std::sqrt(of_labels * of_predicted);
}

}  // namespace lockstep
