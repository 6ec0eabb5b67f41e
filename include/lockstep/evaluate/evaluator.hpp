// Runs a model over a split so that every sample counts exactly once and the result does not depend on ranks or
// threads.
//
// Blocks are computed as scoring.hpp says; predictions are gathered, put in the order of ids and reduced once, on every
// rank alike. Every rank calls it together. Memory: about 150 bytes a sample on every rank at the end; where scores are
// kept, 12 bytes a score there, and 4 a score of its own on any other rank.
#pragma once
#include <cstdint>
#include <vector>

#include "lockstep/evaluate/metrics.hpp"
#include "lockstep/evaluate/scoring.hpp"

namespace lockstep {

struct Evaluation {
  Metrics metrics;
  std::vector<Prediction> predictions;  ///< of labelled samples, in the order of ids
  std::vector<double> scores;           ///< [sample · classes], where they are kept: logits, or combined ones
  bool single_precision = true;         ///< the scores are floats
  double seconds = 0;
};

/// The same on every rank, but for scores that only rank 0 keeps; kept on every rank, they give the areas of the
/// classes too (rank_classes()). Errors: those of scoring; a split without labels.
Evaluation evaluate(Model& model, const EvaluationInput& input, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator);
Evaluation evaluate(Model& model, const DataSplit& split, const ImageTransform& transform, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator);

}  // namespace lockstep
