#include "lockstep/evaluate/prediction.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep {
namespace {

/// Of equal scores the lowest class, which argmax does not promise.
at::Tensor winners_of(const ScoredBlock& block) {
  if (!block.winners.empty()) return at::tensor(at::ArrayRef<std::int64_t>(block.winners), at::kLong);
  const at::Tensor scores = block.scores.to(at::kDouble);
  std::vector<std::int64_t> winners;
  for (std::int64_t i = 0; i < scores.size(0); ++i) {
    const double* row = scores.const_data_ptr<double>() + i * scores.size(1);
    winners.push_back(std::max_element(row, row + scores.size(1)) - row);
  }
  return at::tensor(at::ArrayRef<std::int64_t>(winners), at::kLong);
}

/// Rows of doubles: id, winner, probabilities. Integers far below 2^53 come through.
at::Tensor rows_of(const std::vector<ScoredBlock>& blocks, std::int64_t classes) {
  std::vector<at::Tensor> parts{at::empty({0, classes + 2}, at::kDouble)};  // a rank may have no block
  for (const ScoredBlock& block : blocks) {
    const at::Tensor winners = winners_of(block);
    const at::Tensor ids = at::tensor(at::ArrayRef<std::int64_t>(block.ids), at::kLong);
    // In float64: a float's exponent ends at 1e-45, which a loss of 103 would reach.
    const at::Tensor probabilities = at::softmax(block.scores.to(at::kDouble), 1);
    parts.push_back(
        at::cat({ids.view({-1, 1}).to(at::kDouble), winners.view({-1, 1}).to(at::kDouble), probabilities}, 1));
  }
  return at::cat(parts, 0);
}

PredictedSamples sorted_samples(const at::Tensor& rows) {
  const auto columns = static_cast<std::size_t>(rows.size(1));
  const double* values = rows.const_data_ptr<double>();
  std::vector<std::size_t> order(static_cast<std::size_t>(rows.size(0)));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t row) { return values[row * columns]; });
  PredictedSamples samples;
  for (const std::size_t row : order) {
    const double* value = values + row * columns;
    samples.ids.push_back(std::llround(value[0]));
    samples.winners.push_back(std::llround(value[1]));
    samples.probabilities.insert(samples.probabilities.end(), value + 2, value + columns);
  }
  return samples;
}

}  // namespace

std::span<const double> PredictedSamples::row(std::size_t sample) const {
  const std::size_t classes = probabilities.size() / ids.size();
  return std::span(probabilities).subspan(sample * classes, classes);
}

void predict_samples(const std::vector<Scorer>& members, const Combination& how, std::int64_t classes,
                     Communicator& communicator, const std::function<void(const PredictedSamples&)>& take) {
  score_windows(members, how, false, communicator, [&](const ScoredWindow& window) {
    const at::Tensor mine = rows_of(window.combined, classes);
    const at::Tensor all = communicator.gather_unequal(mine, 0);
    if (communicator.rank() == 0) take(sorted_samples(all));
  });
}

}  // namespace lockstep
