#include "lockstep/evaluate/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace lockstep {
namespace {

double number(std::int64_t count) { return static_cast<double>(count); }

/// Samples of a score or above.
struct Step {
  double score = 0;
  std::int64_t positives = 0, negatives = 0;
};

/// Calls `take` with each distinct score, the largest first. `positives`, `negatives`: falling.
template <typename Take>
void for_each_step(const std::vector<double>& positives, const std::vector<double>& negatives, const Take& take) {
  std::size_t p = 0, n = 0;
  while (p < positives.size() || n < negatives.size()) {
    const bool positive = n == negatives.size() || (p < positives.size() && positives[p] >= negatives[n]);
    const double score = positive ? positives[p] : negatives[n];
    while (p < positives.size() && positives[p] == score) ++p;
    while (n < negatives.size() && negatives[n] == score) ++n;
    take(Step{score, static_cast<std::int64_t>(p), static_cast<std::int64_t>(n)});
  }
}

/// Whether `b` lies on the line from `a` to `c`.
bool straight(const Step& a, const Step& b, const Step& c) {
  return (b.positives - a.positives) * (c.negatives - b.negatives) ==
         (c.positives - b.positives) * (b.negatives - a.negatives);
}

/// At most `most` points of the curve that `walk` tells, point after point, as often as it is asked: the ends, and
/// points that follow the last one kept at an equal share of the whole way, measured along both axes.
template <typename Walk>
Curve thinned_walk(const Walk& walk, std::int64_t most) {
  std::int64_t count = 0;
  double whole = 0, x_before = 0, y_before = 0;
  walk([&](double x, double y, double) {
    if (count++ > 0) whole += std::abs(x - x_before) + std::abs(y - y_before);
    x_before = x;
    y_before = y;
  });
  Curve kept;
  std::int64_t number_of_point = 0;
  double way = 0, next = 0;
  walk([&](double x, double y, double threshold) {
    if (number_of_point++ > 0) way += std::abs(x - x_before) + std::abs(y - y_before);
    x_before = x;
    y_before = y;
    const bool has_room = std::cmp_less(kept.x.size(), most - 1);
    if (count > most && number_of_point < count && (way < next || !has_room)) return;
    kept.x.push_back(x);
    kept.y.push_back(y);
    kept.thresholds.push_back(threshold);
    next = way + whole / number(most - 1);
  });
  return kept;
}

/// Its y at x; `x` rises from call to call, `at` is where the last one was found.
double height(const Curve& curve, double x, std::size_t& at) {
  while (at + 1 < curve.x.size() && curve.x[at + 1] <= x) ++at;
  if (at + 1 == curve.x.size()) return curve.y[at];
  const double share = (x - curve.x[at]) / (curve.x[at + 1] - curve.x[at]);
  return curve.y[at] + share * (curve.y[at + 1] - curve.y[at]);
}

}  // namespace

Curve thinned(const Curve& curve, std::int64_t most) {
  const auto walk = [&](const auto& take) {
    for (std::size_t i = 0; i < curve.x.size(); ++i) take(curve.x[i], curve.y[i], curve.thresholds[i]);
  };
  return thinned_walk(walk, most);
}

Ranking::Ranking(std::vector<double> positives, std::vector<double> negatives)
    : positives_(std::move(positives)), negatives_(std::move(negatives)) {
  std::ranges::sort(positives_, std::greater());
  std::ranges::sort(negatives_, std::greater());
}

std::optional<double> Ranking::auc() const {
  if (positives() == 0 || negatives() == 0) return std::nullopt;
  std::uint64_t twice = 0;  // the area, in units of one positive by one negative
  Step last;
  for_each_step(positives_, negatives_, [&](const Step& step) {
    twice += static_cast<std::uint64_t>(step.negatives - last.negatives) *
             static_cast<std::uint64_t>(step.positives + last.positives);
    last = step;
  });
  return static_cast<double>(twice) / (2 * number(positives()) * number(negatives()));
}

std::optional<double> Ranking::average_precision() const {
  if (positives() == 0) return std::nullopt;
  double sum = 0;
  std::int64_t before = 0;
  for_each_step(positives_, negatives_, [&](const Step& step) {
    sum += number(step.positives - before) / number(positives()) * number(step.positives) /
           number(step.positives + step.negatives);
    before = step.positives;
  });
  return sum;
}

Curve Ranking::roc(std::int64_t most) const {
  if (positives() == 0 || negatives() == 0) return {};
  const auto walk = [&](const auto& take) {
    const auto take_step = [&](const Step& step) {
      take(number(step.negatives) / number(negatives()), number(step.positives) / number(positives()), step.score);
    };
    Step last;  // the point that was taken last
    std::optional<Step> held;
    take(0.0, 0.0, std::numeric_limits<double>::infinity());
    for_each_step(positives_, negatives_, [&](const Step& step) {
      if (held && !straight(last, *held, step)) {
        take_step(*held);
        last = *held;
      }
      held = step;
    });
    take_step(*held);
  };
  return thinned_walk(walk, most);
}

Curve Ranking::precision_recall(std::int64_t most) const {
  if (positives() == 0) return {};
  const auto walk = [&](const auto& take) {
    bool complete = false;  // from here on precision falls at a recall of 1
    take(0.0, 1.0, std::numeric_limits<double>::infinity());
    for_each_step(positives_, negatives_, [&](const Step& step) {
      if (complete) return;
      take(number(step.positives) / number(positives()),
           number(step.positives) / number(step.positives + step.negatives), step.score);
      complete = step.positives == positives();
    });
  };
  return thinned_walk(walk, most);
}

void MeanRoc::add(const Curve& curve) {
  heights_.resize(points);
  std::size_t at = 0;
  for (int i = 0; i < points; ++i)
    heights_[static_cast<std::size_t>(i)] += height(curve, i / static_cast<double>(points - 1), at);
  ++curves_;
}

Curve MeanRoc::curve() const {
  Curve mean;
  for (std::size_t i = 0; i < heights_.size(); ++i) {
    mean.x.push_back(static_cast<double>(i) / static_cast<double>(points - 1));
    mean.y.push_back(heights_[i] / number(curves_));
  }
  return mean;
}

}  // namespace lockstep
