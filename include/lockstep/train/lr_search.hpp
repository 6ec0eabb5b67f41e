// A search for a learning rate: the loss while the rate rises from step to step, and what it suggests.
//
// Smith, 2017 (cyclical learning rates; the "range test"), with the smoothing and the end that fast.ai gave it: the loss
// is averaged with a decay of 0.9, corrected for its beginning; the search ends once that mean is four times its least
// value, or no number. Suggested is the rate at which it falls most steeply over the rate's logarithm, before its least
// value, if it falls by 2 % at all; the rate of the least value itself is too high to train with. A value fed with
// losses that all ranks have alike, so that all end in the same step. One thread. Memory: 24 bytes a step.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct LrPoint {
  double lr = 0;
  double loss = 0;      ///< of the step
  double smoothed = 0;  ///< up to it
};

class LrSearch {
 public:
  static constexpr double first = 1e-6, last = 10;  ///< rates
  static constexpr std::int64_t usual_steps = 100;

  /// `steps` >= 2 from the first rate to the last, in equal factors.
  explicit LrSearch(std::int64_t steps) : steps_(steps) {}

  bool over() const;
  /// The rate of the next step.
  double lr() const;
  /// What that step's loss was.
  void add(double loss);

  const std::vector<LrPoint>& points() const { return points_; }
  /// None: the loss didn't fall.
  std::optional<double> suggestion() const;
  /// For a person: what was seen, and what to do. `scale`: rates are this times what --lr says; `head_ratio`: the rate of
  /// the heads is so many times the others', if it is said on its own.
  std::string description(double scale = 1, std::optional<double> head_ratio = std::nullopt) const;
  /// JSON: points and suggestion.
  std::string to_json() const;

 private:
  std::size_t least() const;

  std::int64_t steps_;
  std::vector<LrPoint> points_;
  double mean_ = 0;  // not corrected for its beginning
  bool blown_up_ = false;
};

}  // namespace lockstep
