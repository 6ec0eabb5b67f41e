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

/// Those of labelled samples.
at::Tensor labelled_rows(const ScoredBlock& block) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < block.labels.size(); ++i) {
    if (block.labels[i] >= 0) rows.push_back(static_cast<std::int64_t>(i));
  }
  if (rows.size() == block.labels.size()) return block.scores;
  return block.scores.index_select(0, at::tensor(at::ArrayRef<std::int64_t>(rows), at::kLong));
}

template <typename Score>
std::vector<double> in_order(const at::Tensor& scores, const std::vector<std::size_t>& order) {
  const auto classes = static_cast<std::size_t>(scores.size(1));
  std::vector<double> ordered;
  ordered.reserve(order.size() * classes);
  for (const std::size_t place : order) {
    const Score* row = scores.const_data_ptr<Score>() + place * classes;
    ordered.insert(ordered.end(), row, row + classes);
  }
  return ordered;
}

}  // namespace

void Tally::add(const ScoredBlock& block) {
  const bool combined = block.scores.scalar_type() == at::kDouble;
  const std::lock_guard lock(mutex_);
  if (keep_ != KeepScores::nowhere) scores_.push_back(labelled_rows(block));
  for (std::size_t i = 0; i < block.ids.size(); ++i) {
    if (block.labels[i] < 0) continue;
    predictions_.push_back(combined ? predict_row<double>(block, i) : predict_row<float>(block, i));
  }
}

void Tally::gather_scores(Evaluation& into, const std::vector<std::size_t>& order, Communicator& communicator) {
  // A rank without a block does not know whether scores are doubles.
  at::Tensor combined = at::zeros({1}, at::kLong);
  if (!scores_.empty() && scores_.front().scalar_type() == at::kDouble) combined.fill_(1);
  communicator.maximum(combined).wait();
  into.single_precision = combined.item<std::int64_t>() == 0;
  scores_.push_back(at::empty({0, classes_}, into.single_precision ? at::kFloat : at::kDouble));
  at::Tensor mine = at::cat(scores_);
  scores_.clear();
  const auto root = keep_ == KeepScores::on_first_rank ? std::optional(0) : std::nullopt;
  const at::Tensor all = communicator.gather_unequal(mine, root);
  mine.reset();
  if (all.size(0) == 0) return;
  into.scores = into.single_precision ? in_order<float>(all, order) : in_order<double>(all, order);
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
