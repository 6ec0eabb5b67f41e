#include "lockstep/evaluate/ranking.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

double number(std::int64_t count) { return static_cast<double>(count); }

void add(Curve& curve, double x, double y, double threshold) {
  curve.x.push_back(x);
  curve.y.push_back(y);
  curve.thresholds.push_back(threshold);
}

/// Its y at x; `x` rises from call to call, `at` is where the last one was found.
double height(const Curve& curve, double x, std::size_t& at) {
  while (at + 1 < curve.x.size() && curve.x[at + 1] <= x) ++at;
  if (at + 1 == curve.x.size()) return curve.y[at];
  const double share = (x - curve.x[at]) / (curve.x[at + 1] - curve.x[at]);
  return curve.y[at] + share * (curve.y[at + 1] - curve.y[at]);
}

}  // namespace

/// The ends, and points that follow the last one kept at an equal share of the whole way, measured along both axes.
Curve thinned(const Curve& curve, std::int64_t most) {
  const std::size_t count = curve.x.size();
  if (std::cmp_less_equal(count, most)) return curve;
  std::vector<double> way(count);
  for (std::size_t i = 1; i < count; ++i)
    way[i] = way[i - 1] + std::abs(curve.x[i] - curve.x[i - 1]) + std::abs(curve.y[i] - curve.y[i - 1]);
  Curve kept;
  double next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + 1 < count && (way[i] < next || std::cmp_greater_equal(kept.x.size(), most - 1))) continue;
    add(kept, curve.x[i], curve.y[i], curve.thresholds[i]);
    next = way[i] + way.back() / number(most - 1);
  }
  return kept;
}

Ranking::Ranking(std::vector<std::pair<double, bool>> scored) {
  std::ranges::sort(scored, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::int64_t positives = 0, negatives = 0;
  for (const auto& [score, positive] : scored) {
    ++(positive ? positives : negatives);
    if (steps_.empty() || steps_.back().score != score) steps_.push_back({score, 0, 0});
    steps_.back().positives = positives;
    steps_.back().negatives = negatives;
  }
}

std::optional<double> Ranking::auc() const {
  if (positives() == 0 || negatives() == 0) return std::nullopt;
  std::uint64_t twice = 0;  // the area, in units of one positive by one negative
  Step last;
  for (const Step& step : steps_) {
    twice += static_cast<std::uint64_t>(step.negatives - last.negatives) *
             static_cast<std::uint64_t>(step.positives + last.positives);
    last = step;
  }
  return static_cast<double>(twice) / (2 * number(positives()) * number(negatives()));
}

std::optional<double> Ranking::average_precision() const {
  if (positives() == 0) return std::nullopt;
  double sum = 0;
  std::int64_t before = 0;
  for (const Step& step : steps_) {
    sum += number(step.positives - before) / number(positives()) * number(step.positives) /
           number(step.positives + step.negatives);
    before = step.positives;
  }
  return sum;
}

Curve Ranking::roc(std::int64_t most) const {
  Curve curve;
  if (positives() == 0 || negatives() == 0) return curve;
  add(curve, 0, 0, std::numeric_limits<double>::infinity());
  Step last;  // the point that was kept last
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (i + 1 < steps_.size()) {
      const Step& next = steps_[i + 1];
      const bool straight = (step.positives - last.positives) * (next.negatives - step.negatives) ==
                            (next.positives - step.positives) * (step.negatives - last.negatives);
      if (straight) continue;
    }
    add(curve, number(step.negatives) / number(negatives()), number(step.positives) / number(positives()), step.score);
    last = step;
  }
  return thinned(curve, most);
}

Curve Ranking::precision_recall(std::int64_t most) const {
  Curve curve;
  if (positives() == 0) return curve;
  add(curve, 0, 1, std::numeric_limits<double>::infinity());
  for (const Step& step : steps_) {
    add(curve, number(step.positives) / number(positives()),
        number(step.positives) / number(step.positives + step.negatives), step.score);
    if (step.positives == positives()) break;  // from here on precision falls at a recall of 1
  }
  return thinned(curve, most);
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
