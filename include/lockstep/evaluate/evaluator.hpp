// Runs a model over a split so that every sample counts exactly once and the result does not depend on ranks or
// threads.
//
// Blocks are computed as scoring.hpp says; predictions are gathered, put in the order of ids and reduced once, on every
// rank alike. Every rank calls it together. Memory: about 150 bytes a sample on every rank at the end, plus 8·classes
// with scores.
#pragma once
#include <cstdint>
#include <vector>

#include "lockstep/evaluate/metrics.hpp"
#include "lockstep/evaluate/scoring.hpp"

namespace lockstep {

struct Evaluation {
  Metrics metrics;
  std::vector<Prediction> predictions;  ///< of labelled samples, in the order of ids
  double seconds = 0;
};

/// The same on every rank. Errors: those of scoring; a split without labels.
Evaluation evaluate(Model& model, const EvaluationInput& input, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator);
Evaluation evaluate(Model& model, const DataSplit& split, const ImageTransform& transform, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator);

}  // namespace lockstep
