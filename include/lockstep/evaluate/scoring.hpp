// A network's scores of the samples of a split: the one way through the blocks for evaluation, ensembles and
// prediction.
//
// The samples, ordered by id, are cut into fixed blocks of 32; a block is computed by one thread, because a sample's
// logits change in the last bits with the batch it is in and with the thread count. Blocks go round the ranks and round
// each rank's threads, so what comes of a block depends on neither. Every rank calls it together; nothing is exchanged.
// Memory: 8 bytes a sample for the order, and batches of 32 for each thread. Errors: those of reading; scores that are
// not finite.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/data/batch_source.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

inline constexpr std::int64_t evaluation_block = 32;

/// Views whose probabilities are averaged: the image itself; it and its mirror image; these two upside down too.
enum class TestTimeFlips { none, horizontal, both };

/// Where a split's scores are brought together: on every rank for a metric that decides there, on rank 0 to be written.
enum class KeepScores { nowhere, on_first_rank, on_every_rank };

struct EvaluationSettings {
  std::int64_t resize = 0;   ///< pixels: the image is resized to this, then the transform's side is cut from its centre
  std::int64_t threads = 1;  ///< blocks computed at once on this rank
  KeepScores scores = KeepScores::nowhere;
  TestTimeFlips flips = TestTimeFlips::none;
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

/// The samples of a split in the order of their ids, in blocks.
class Blocks {
 public:
  explicit Blocks(const DataSplit& split);

  std::int64_t samples() const { return static_cast<std::int64_t>(positions_.size()); }
  std::int64_t count() const { return (samples() + evaluation_block - 1) / evaluation_block; }
  /// Positions in the split.
  const std::vector<std::int64_t>& positions() const { return positions_; }
  /// Those of `range` that belong to a rank, in order. The object must outlive the result.
  BatchRequests requests(Range range, int rank, int ranks) const;

 private:
  std::vector<std::int64_t> positions_;  // by id
};

/// What was computed of one block.
struct ScoredBlock {
  std::int64_t number = 0;
  std::vector<std::int64_t> ids, labels;  ///< [n]; labels −1 where unknown
  at::Tensor scores;                      ///< [n, classes], dense, on the CPU: float32 logits, or float64 combined ones
  std::vector<std::int64_t> winners = {};  ///< [n] predicted classes; empty: those of the largest scores

  /// For a probability of each class.
  at::Tensor probabilities() const;
};

/// Takes a block; called by several threads at once, in no certain order.
using TakeBlock = std::function<void(ScoredBlock)>;

/// Computes this rank's blocks of `range`.
void score_blocks(Model& model, const EvaluationInput& input, const Blocks& blocks, Range range,
                  const EvaluationSettings& settings, const Communicator& communicator, const TakeBlock& take);

}  // namespace lockstep
