// What was predicted of the labelled samples of a split, collected block by block and brought together over the ranks.
//
// add() may be called by several threads at once; finish() by every rank together, once. Internal to src/evaluate.
#pragma once
#include <mutex>
#include <vector>

#include "lockstep/evaluate/evaluator.hpp"

namespace lockstep {

class Tally {
 public:
  /// `auc`: probabilities are kept too, which the area under the curve needs.
  Tally(std::int64_t classes, bool auc) : classes_(classes), auc_(auc) {}

  void add(const ScoredBlock& block);
  /// The same on every rank. Errors: a split without labels.
  Evaluation finish(Communicator& communicator);

 private:
  std::int64_t classes_;
  bool auc_;
  std::mutex mutex_;
  std::vector<Prediction> predictions_;
  std::vector<float> probabilities_;  // in the order of predictions; empty unless asked for
};

}  // namespace lockstep
