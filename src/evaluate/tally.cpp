#include "evaluate/tally.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep {
namespace {

template <typename Score>
Prediction predict_row(const ScoredBlock& block, std::size_t i) {
  const auto classes = static_cast<std::size_t>(block.scores.size(1));
  const std::optional<std::int64_t> winner = block.winners.empty() ? std::nullopt : std::optional(block.winners[i]);
  return predict(std::span(block.scores.const_data_ptr<Score>() + i * classes, classes), block.ids[i], block.labels[i],
                 winner);
}

/// All ranks' predictions as rows of doubles: ids and classes are integers far below 2^53.
std::vector<Prediction> gather_predictions(const std::vector<Prediction>& mine, Communicator& communicator) {
  at::Tensor rows = at::empty({static_cast<std::int64_t>(mine.size()), 5}, at::kDouble);
  double* out = rows.data_ptr<double>();
  for (const Prediction& p : mine) {
    for (const double value : {static_cast<double>(p.id), static_cast<double>(p.label),
                               static_cast<double>(p.predicted), static_cast<double>(p.rank), p.loss}) {
      *out++ = value;
    }
  }
  const at::Tensor all = communicator.gather_unequal(rows);
  std::vector<Prediction> predictions;
  for (std::int64_t i = 0; i < all.size(0); ++i) {
    const double* row = all.const_data_ptr<double>() + 5 * i;
    predictions.push_back(
        {std::llround(row[0]), std::llround(row[1]), std::llround(row[2]), std::llround(row[3]), row[4]});
  }
  return predictions;
}

/// The places of the predictions in the order of ids.
std::vector<std::size_t> order_by_id(const std::vector<Prediction>& predictions) {
  std::vector<std::size_t> order(predictions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return predictions[a].id < predictions[b].id; });
  return order;
}

template <typename Score>
void append_row(std::vector<double>& scores, const ScoredBlock& block, std::size_t i) {
  const auto classes = static_cast<std::size_t>(block.scores.size(1));
  const Score* row = block.scores.const_data_ptr<Score>() + i * classes;
  scores.insert(scores.end(), row, row + classes);
}

}  // namespace

void Tally::add(const ScoredBlock& block) {
  const bool combined = block.scores.scalar_type() == at::kDouble;
  const std::lock_guard lock(mutex_);
  combined_ = combined_ || combined;
  for (std::size_t i = 0; i < block.ids.size(); ++i) {
    if (block.labels[i] < 0) continue;
    predictions_.push_back(combined ? predict_row<double>(block, i) : predict_row<float>(block, i));
    if (keep_ == KeepScores::nowhere) continue;
    combined ? append_row<double>(scores_, block, i) : append_row<float>(scores_, block, i);
  }
}

void Tally::gather_scores(Evaluation& into, const std::vector<std::size_t>& order, Communicator& communicator) const {
  at::Tensor combined = at::full({1}, combined_ ? 1 : 0, at::kLong);  // a rank without a block does not know
  communicator.maximum(combined).wait();
  into.single_precision = combined.item<std::int64_t>() == 0;
  const at::Tensor mine = at::tensor(at::ArrayRef<double>(scores_), at::kDouble)
                              .view({-1, classes_})
                              .to(into.single_precision ? at::kFloat : at::kDouble);
  const auto root = keep_ == KeepScores::on_first_rank ? std::optional(0) : std::nullopt;
  const at::Tensor all = communicator.gather_unequal(mine, root).to(at::kDouble).contiguous();
  if (all.size(0) == 0) return;
  into.scores.reserve(static_cast<std::size_t>(all.numel()));
  for (const std::size_t place : order) {
    const double* row = all.const_data_ptr<double>() + place * static_cast<std::size_t>(classes_);
    into.scores.insert(into.scores.end(), row, row + classes_);
  }
}

Evaluation Tally::finish(Communicator& communicator) {
  const std::vector<Prediction> all = gather_predictions(predictions_, communicator);
  const std::vector<std::size_t> order = order_by_id(all);
  Evaluation evaluation;
  for (const std::size_t place : order) evaluation.predictions.push_back(all[place]);
  evaluation.metrics = compute_metrics(evaluation.predictions, classes_);
  if (keep_ != KeepScores::nowhere) gather_scores(evaluation, order, communicator);
  if (keep_ == KeepScores::on_every_rank)
    rank_classes(evaluation.metrics, judged_samples(evaluation.predictions, evaluation.scores, classes_));
  return evaluation;
}

}  // namespace lockstep
