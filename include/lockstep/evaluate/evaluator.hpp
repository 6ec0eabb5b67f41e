// Runs a model over a split so that every sample counts exactly once and the result does not depend on ranks or
// threads.
//
// The samples, ordered by id, are cut into fixed blocks of 32; a block is computed by one thread, because a sample's
// logits change in the last bits with the batch it is in and with the thread count. Blocks go round the ranks and round
// each rank's threads; predictions are gathered, put in the order of ids and reduced once, on every rank alike.
// Every rank calls it together. Memory: about 150 bytes a sample on every rank at the end, plus 8·classes with scores.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/data/batch_source.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/evaluate/metrics.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

inline constexpr std::int64_t evaluation_block = 32;

/// Views whose probabilities are averaged: the image itself; it and its mirror image; these two upside down too.
enum class TestTimeFlips { none, horizontal, both };

struct EvaluationSettings {
  std::int64_t resize = 0;   ///< pixels: the image is resized to this, then the transform's side is cut from its centre
  std::int64_t threads = 1;  ///< blocks computed at once on this rank
  bool auc = false;          ///< gathers scores too
  TestTimeFlips flips = TestTimeFlips::none;
};

struct Evaluation {
  Metrics metrics;
  std::vector<Prediction> predictions;  ///< of labelled samples, in the order of ids
  double seconds = 0;
};

/// The samples of a split, as they go into a stage of the network.
struct EvaluationInput {
  const DataSplit& split;
  std::function<std::unique_ptr<BatchSource>(BatchRequests)> open;
  std::size_t first_stage = 0;  ///< 0: images. With another, nothing may be flipped
};

/// The split's images, each resized and cut from its centre. Everything passed in must outlive the result.
EvaluationInput images_of(const DataSplit& split, const ImageTransform& transform, const EvaluationSettings& settings,
                          c10::Device device);

/// The same on every rank. Errors: those of reading; a split without labels; scores that are not finite.
Evaluation evaluate(Model& model, const EvaluationInput& input, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator);
Evaluation evaluate(Model& model, const DataSplit& split, const ImageTransform& transform, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator);

}  // namespace lockstep
