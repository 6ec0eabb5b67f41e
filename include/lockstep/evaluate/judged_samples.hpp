// What a classifier said of labelled samples, as all metrics take it: a value in the order of the samples' ids.
//
// Pure functions; thread-safe. Memory: 40 bytes a sample, and 8 · classes where there are scores.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lockstep {

/// What the model said of one labelled sample.
struct Prediction {
  std::int64_t id = 0;
  std::int64_t label = 0;      ///< in [0, classes)
  std::int64_t predicted = 0;  ///< class of the largest score; the lowest of equals
  std::int64_t rank = 0;       ///< classes before the label: the predicted one, then by score and number; 0 is top-1
  double loss = 0;             ///< −log p(label), natural logarithm
};

struct JudgedSamples {
  std::int64_t classes = 0;
  std::vector<Prediction> predictions;  ///< in the order of ids
  std::vector<double> probabilities;    ///< [sample · classes]; empty: there were labels alone

  bool scored() const { return !probabilities.empty(); }
  std::span<const double> row(std::size_t sample) const {
    const auto width = static_cast<std::size_t>(classes);
    return std::span(probabilities).subspan(sample * width, width);
  }
};

/// Scores of one sample to its prediction. `scores`: [classes] logits, or logarithms of probabilities. `winner`: the
/// predicted class where something else than the scores has decided. The same bits for a float and for the double of
/// its value.
Prediction predict(std::span<const float> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner = std::nullopt);
Prediction predict(std::span<const double> scores, std::int64_t id, std::int64_t label,
                   std::optional<std::int64_t> winner = std::nullopt);

/// Probabilities of finite scores, written to `into`: exp(score − largest) over their sum, added in the order of the
/// classes. `into`: as many as `scores`.
void softmax(std::span<const double> scores, std::span<double> into);

/// Predictions with the probabilities of their scores. `scores`: [sample · classes], in their order; none: labels
/// alone.
JudgedSamples judged_samples(std::vector<Prediction> predictions, std::span<const double> scores, std::int64_t classes);

}  // namespace lockstep
