#include "lockstep/train/lr_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

constexpr double smoothing = 0.9, too_much = 4;
constexpr double fallen = 0.98;     // of the first losses: less is learning
constexpr std::size_t settled = 5;  // points before which the smoothed loss says little

}  // namespace

bool LrSearch::over() const { return blown_up_ || std::ssize(points_) >= steps_; }

double LrSearch::lr() const {
  const double share = static_cast<double>(points_.size()) / static_cast<double>(steps_ - 1);
  return first * std::pow(last / first, share);
}

void LrSearch::add(double loss) {
  const double rate = lr();
  if (!std::isfinite(loss)) {
    blown_up_ = true;
    return;
  }
  mean_ = smoothing * mean_ + (1 - smoothing) * loss;
  const double smoothed = mean_ / (1 - std::pow(smoothing, static_cast<double>(points_.size() + 1)));
  points_.push_back({rate, loss, smoothed});
  blown_up_ = points_.size() > settled && smoothed > too_much * points_[least()].smoothed;
}

std::size_t LrSearch::least() const {
  const auto found = std::ranges::min_element(points_, {}, &LrPoint::smoothed);
  return static_cast<std::size_t>(found - points_.begin());
}

std::optional<double> LrSearch::suggestion() const {
  if (points_.size() < 2 * settled) return std::nullopt;
  if (points_[least()].smoothed > fallen * points_[settled - 1].smoothed) return std::nullopt;  // rounding, or noise
  double steepest = 0;
  std::optional<double> rate;
  for (std::size_t i = settled; i < least(); ++i) {
    const LrPoint &before = points_[i - 1], &after = points_[i + 1];
    const double slope = (after.smoothed - before.smoothed) / std::log(after.lr / before.lr);
    if (slope >= steepest) continue;
    steepest = slope;
    rate = points_[i].lr;
  }
  return rate;
}

std::string LrSearch::description(double scale, std::optional<double> head_ratio) const {
  if (points_.empty()) return "the first step's loss was no number: look for damaged images or weights\n";
  const LrPoint &low = points_[least()], &end = points_.back();
  std::string text = fmt::format(
      "{} steps, learning rate {:.2g} … {:.2g}: loss {:.4f} at the start, {:.4f} at its least (rate {:.2g}), {:.4f} at "
      "the "
      "end{}\n",
      points_.size(), points_.front().lr, end.lr, points_.front().smoothed, low.smoothed, low.lr, end.smoothed,
      blown_up_ ? ", where it had become too large to go on" : "");
  if (const std::optional<double> rate = suggestion()) {
    text += fmt::format("it falls most steeply at {:.2g}; try: --lr {:.2g}", *rate, *rate / scale);
    text += head_ratio ? fmt::format(" --head-lr {:.2g}\n", *rate / scale * *head_ratio) : "\n";
  } else if (points_.size() < 2 * settled) {
    text += fmt::format("{} steps are too few to tell: search over more (--epochs, or a smaller --batch)\n",
                        points_.size());
  } else {
    text +=
        "it did not fall: nothing to suggest; look at the images and labels, or search over more steps (--epochs)\n";
  }
  return text;
}

std::string LrSearch::to_json() const {
  nlohmann::ordered_json json;
  const std::optional<double> rate = suggestion();
  json["suggestion"] = rate ? nlohmann::ordered_json(*rate) : nlohmann::ordered_json();
  json["points"] = nlohmann::ordered_json::array();
  for (const LrPoint& point : points_)
    json["points"].push_back({{"lr", point.lr}, {"loss", point.loss}, {"smoothed", point.smoothed}});
  return json.dump(2) + "\n";
}

}  // namespace lockstep
