// Bins counted by hand; temperatures beside a search over many of them.
#include "lockstep/evaluate/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/core/draws.hpp"

namespace lockstep {
namespace {

/// Two classes; `confidence` in class 0, which is predicted.
JudgedSamples samples_of(const std::vector<std::pair<double, bool>>& confidence_and_right) {
  JudgedSamples samples;
  samples.classes = 2;
  for (const auto& [confidence, right] : confidence_and_right) {
    samples.predictions.push_back({0, right ? 0 : 1, 0, right ? 0 : 1, 0});
    samples.probabilities.insert(samples.probabilities.end(), {confidence, 1 - confidence});
  }
  return samples;
}

TEST(Calibration, FourBinsByHand) {
  const Calibration found =
      calibration_of(samples_of({{0.5, false}, {0.6, true}, {0.7, true}, {0.9, true}, {1, false}}), 4);
  ASSERT_EQ(found.bins.size(), 4u);
  EXPECT_EQ(found.bins[1].samples, 1) << "0.5 is the upper end of its bin";
  EXPECT_EQ(found.bins[2].samples, 2);
  EXPECT_DOUBLE_EQ(found.bins[2].confidence, 0.65);
  EXPECT_DOUBLE_EQ(found.bins[2].accuracy, 1);
  EXPECT_EQ(found.bins[3].samples, 2);
  // bins: |0 − 0.5|, |1 − 0.65|, |0.5 − 0.95|
  EXPECT_NEAR(found.expected_error, (0.5 * 1 + 0.35 * 2 + 0.45 * 2) / 5, 1e-15);
  EXPECT_DOUBLE_EQ(found.largest_error, 0.5);
}

struct Scores {
  std::vector<double> values;
  std::vector<std::int64_t> labels;

  double loss(double temperature) const {
    const std::size_t classes = values.size() / labels.size();
    double sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::vector<double> row(values.begin() + static_cast<std::ptrdiff_t>(i * classes),
                              values.begin() + static_cast<std::ptrdiff_t>((i + 1) * classes));
      for (double& score : row) score /= temperature;
      sum += predict(std::span<const double>(row), 0, labels[i]).loss;
    }
    return sum / static_cast<double>(labels.size());
  }
};

/// Logits of normal-like noise with a bonus for the label, all times `sharpness`.
Scores scores_of(double sharpness, double bonus, std::uint64_t seed) {
  Draws draws(seed, Purpose::shuffle, 1);
  Scores scores;
  for (int i = 0; i < 300; ++i) {
    scores.labels.push_back(static_cast<std::int64_t>(draws.below(5)));
    for (std::int64_t c = 0; c < 5; ++c) {
      const double noise = draws.uniform() + draws.uniform() + draws.uniform() - 1.5;
      scores.values.push_back(sharpness * (noise + (c == scores.labels.back() ? bonus : 0)));
    }
  }
  return scores;
}

TEST(Temperature, IsTheLeastLossOfAll) {
  for (const double sharpness : {0.05, 1.0, 7.0, 60.0}) {
    const Scores scores = scores_of(sharpness, 0.4, 3);
    const TemperatureFit fit = fit_temperature(scores.values, scores.labels);
    ASSERT_TRUE(fit.temperature) << fit.why_none;
    const double least = scores.loss(*fit.temperature);
    for (double t = 1.0 / 128; t < 128; t *= 1.02) EXPECT_GE(scores.loss(t), least - 1e-13) << sharpness << " " << t;
    for (const double near : {0.999, 1.001}) EXPECT_GT(scores.loss(near * *fit.temperature), least);
  }
}

TEST(Temperature, ScalesWithTheScores) {
  const Scores once = scores_of(1, 0.4, 9);
  const double of_once = *fit_temperature(once.values, once.labels).temperature;
  for (const double scale : {1e-200, 1e-6, 2e-3, 3.0, 200.0, 1e9}) {
    const Scores scaled = scores_of(scale, 0.4, 9);
    const TemperatureFit fit = fit_temperature(scaled.values, scaled.labels);
    ASSERT_TRUE(fit.temperature) << scale << ": " << fit.why_none;
    EXPECT_NEAR(*fit.temperature / scale, of_once, 1e-9) << scale;
  }
}

TEST(Temperature, SaysWhereThereIsNone) {
  const std::vector<double> scores{2, 0, 0, 3};
  const TemperatureFit right = fit_temperature(scores, std::vector<std::int64_t>{0, 1});
  EXPECT_FALSE(right.temperature);
  EXPECT_NE(right.why_none.find("too little"), std::string::npos);
  const TemperatureFit wrong = fit_temperature(scores, std::vector<std::int64_t>{1, 0});
  EXPECT_FALSE(wrong.temperature);
  EXPECT_NE(wrong.why_none.find("less than equal ones"), std::string::npos);
  EXPECT_FALSE(fit_temperature(std::vector<double>{1, 1}, std::vector<std::int64_t>{0}).temperature);
}

}  // namespace
}  // namespace lockstep
