// Several networks as one classifier: combined sample by sample, chosen by a split, or averaged into one network.
//
//   mean        the members' probabilities averaged by weight
//   vote        each member's class counts its weight; of equal votes the one of the larger mean probability wins. The
//               votes decide the class; probabilities, and with them loss, top-5 and AUC, are those of the mean
//   best        the member of the highest accuracy, of equals that of the lowest loss: a weight of 1
//   greedy      ensemble selection with replacement by log-loss (Caruana et al., 2004), which gives weights for a mean
//   parameters  weights and floating-point buffers averaged, of one kind of network
//
// One member of weight 1 is that member: its scores pass through untouched. Members may differ in network, size and
// normalisation of images, not in classes; they see the same samples, each from its own packing. Everything is the same
// for any number of ranks and threads. Memory: the members, and for each rank a window's scores (4 · classes bytes a
// sample and member; a window is 4096 samples, or 512 a rank where that is more).
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/evaluate/evaluator.hpp"

namespace lockstep {

struct Combination {
  enum class Rule { mean, vote } rule = Rule::mean;
  std::vector<double> weights;  ///< [member], >= 0, one of them > 0
};

/// Scores of the ensemble from those of its members, [n, classes] each (of weight 0: not looked at). They are
/// logarithms of probabilities in float64, but the member's own where only one counts.
ScoredBlock combine(const Combination& how, const std::vector<ScoredBlock>& members);

/// By accuracy, then by loss, then by number.
std::size_t best_member(std::span<const Metrics> members);

/// A hundred times the member is added with which the mean of all added so far has the least log-loss, of equals the
/// first; the best mean on the way counts. `losses`: [member][sample] −log p(label). The result adds
/// up to 1.
std::vector<double> greedy_weights(const std::vector<std::vector<double>>& losses);

/// Fills `into`, made like the members, with their weighted mean. Whole numbers are the first member's. `names`: of the
/// members, for errors: networks that differ.
void mean_parameters(const std::vector<const Model*>& members, const std::vector<std::string>& names,
                     const std::vector<double>& weights, Model& into);

/// A network and how samples go into it. The model must outlive it.
struct Scorer {
  Model& model;
  EvaluationInput input;
  EvaluationSettings settings;
};

/// What was computed of a window of samples, on this rank.
struct ScoredWindow {
  std::vector<std::vector<ScoredBlock>> members;  ///< [member][block]; of one that was left out: none
  std::vector<ScoredBlock> combined;              ///< [block]
};

/// Goes through the samples in windows, each computed by all ranks; `take` is called for each on every rank, in order.
/// `all`: members of weight 0 are computed too. Errors: those of scoring; members that see different samples.
void score_windows(const std::vector<Scorer>& members, const Combination& how, bool all,
                   const Communicator& communicator, const std::function<void(ScoredWindow)>& take);

struct EnsembleEvaluation {
  std::vector<Evaluation> members;
  Evaluation ensemble;
};

/// Members and ensemble in one pass; the same on every rank.
EnsembleEvaluation evaluate_ensemble(const std::vector<Scorer>& members, const Combination& how, std::int64_t classes,
                                     Communicator& communicator);

}  // namespace lockstep
