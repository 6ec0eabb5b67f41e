// What was predicted of the labelled samples of a split, collected block by block and brought together over the ranks.
//
// add() may be called by several threads at once; finish() by every rank together, once. Internal to src/evaluate.
#pragma once
#include <ATen/core/Tensor.h>

#include <mutex>
#include <vector>

#include "lockstep/evaluate/evaluator.hpp"

namespace lockstep {

class Tally {
 public:
  Tally(std::int64_t classes, KeepScores keep) : classes_(classes), keep_(keep) {}

  void add(const ScoredBlock& block);
  /// The same on every rank, but for scores kept on the first one. Errors: a split without labels.
  Evaluation finish(Communicator& communicator);

 private:
  void gather_scores(Evaluation& into, const std::vector<std::size_t>& order, Communicator& communicator);

  std::int64_t classes_;
  KeepScores keep_;
  std::mutex mutex_;
  std::vector<Prediction> predictions_;
  std::vector<at::Tensor> scores_;  // blocks of [n, classes] in the order of predictions; none unless they are kept
};

}  // namespace lockstep
