#include "lockstep/evaluate/evaluator.hpp"

#include "evaluate/tally.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep {

Evaluation evaluate(Model& model, const EvaluationInput& input, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator) {
  const Stopwatch watch;
  const Blocks blocks(input.split);
  Tally tally(classes, settings.scores);
  score_blocks(model, input, blocks, {0, blocks.count()}, settings, communicator,
               [&tally](const ScoredBlock& block) { tally.add(block); });
  Evaluation evaluation = tally.finish(communicator);
  evaluation.seconds = watch.seconds();
  return evaluation;
}

Evaluation evaluate(Model& model, const DataSplit& split, const ImageTransform& transform, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator) {
  return evaluate(model, images_of(split, transform, settings, device_of(model)), classes, settings, communicator);
}

}  // namespace lockstep
