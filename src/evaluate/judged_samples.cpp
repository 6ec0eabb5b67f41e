#include "lockstep/evaluate/judged_samples.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

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

}  // namespace

Prediction predict(std::span<const float> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner) {
  return predict_from(scores, id, label, winner);
}

Prediction predict(std::span<const double> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner) {
  return predict_from(scores, id, label, winner);
}

void softmax(std::span<const double> scores, std::span<double> into) {
  const double top = *std::ranges::max_element(scores);
  double total = 0;
  for (std::size_t c = 0; c < scores.size(); ++c) total += into[c] = std::exp(scores[c] - top);
  for (double& probability : into) probability /= total;
}

JudgedSamples judged_samples(std::vector<Prediction> predictions, std::span<const double> scores,
                             std::int64_t classes) {
  JudgedSamples samples{classes, std::move(predictions), std::vector<double>(scores.size())};
  const auto width = static_cast<std::size_t>(classes);
  const std::span<double> into(samples.probabilities);
  for (std::size_t at = 0; at < scores.size(); at += width) softmax(scores.subspan(at, width), into.subspan(at, width));
  return samples;
}

}  // namespace lockstep
