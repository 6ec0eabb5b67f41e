// One step of synchronous data-parallel training: forward, backward with the gradients' exchange inside, update.
//
// Every rank calls run() for the same step with its part of the global batch, which may be empty. Afterwards all ranks
// hold the same parameters. Losses are sums divided by the samples of the *global* batch, so gradients are those of the
// mean over samples, whatever the ranks' shares; with class weights, of the weighted losses, still by the samples. Owns buckets, reducer and optimiser; model and channels must outlive
// it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/batch_source.hpp"
#include "lockstep/gradients/gradient_buckets.hpp"
#include "lockstep/gradients/reducer.hpp"
#include "lockstep/model/model.hpp"
#include "lockstep/optim/optimiser.hpp"
#include "lockstep/train/rank_communicators.hpp"

namespace lockstep {

/// Where the step stands; the same on every rank but for `groups`.
struct StepPlace {
  std::int64_t step = 0;             ///< since the start of the run
  std::int64_t global_samples = 0;   ///< over all ranks
  std::vector<std::int64_t> groups;  ///< batch-norm groups of this rank's part
  bool stop_here = false;            ///< this rank was asked to stop
  bool checkpoint_here = false;      ///< this rank's clock says that a checkpoint is due
};

/// The same on every rank, but for the seconds.
struct StepResult {
  double loss = 0;           ///< mean over the global batch
  std::int64_t correct = 0;  ///< top-1, over the global batch
  std::int64_t samples = 0;  ///< of the global batch
  bool stop = false;         ///< some rank was asked to stop
  bool checkpoint = false;   ///< some rank's clock says that a checkpoint is due
  ExchangeStats exchange;
  std::optional<double> gradient_norm;  ///< before it was clipped; where it is
};

class TrainingStep {
 public:
  /// `first_stage`: of the network, the one that the batches go into; what is before it must be frozen.
  /// `class_weights`: [class], what a sample's loss counts; none: 1.
  TrainingStep(Model& model, const RunConfig& config, RankCommunicators& channels, std::size_t first_stage = 0,
               const std::vector<double>& class_weights = {});

  StepResult run(const Batch& batch, const StepPlace& place, double lr);
  /// The forward pass in training mode alone: what batch norm measures. Every rank calls it.
  void observe(const Batch& batch, const StepPlace& place);
  const GradientBuckets& gradients() const { return buckets_; }
  Optimiser& optimiser() { return *optimiser_; }
  /// The end of a step whose parameters another one will train: only one may hold them at a time.
  static std::unique_ptr<Optimiser> dissolve(std::unique_ptr<TrainingStep> step) { return std::move(step->optimiser_); }

 private:
  BatchContext context_of(const Batch& batch, const StepPlace& place) const;
  /// `found`: float64 on the CPU, this rank's summed loss, number of correct samples and, if clipped, gradient's norm.
  StepResult agree(const at::Tensor& found, const Batch& batch, const StepPlace& place) const;

  Model& model_;
  RankCommunicators& channels_;
  const std::size_t first_stage_;
  std::uint64_t seed_;
  double label_smoothing_;
  ClippingConfig clipping_;
  at::Tensor class_weights_;  // float32 [class]; undefined: 1
  GradientBuckets buckets_;
  Reducer reducer_;
  std::unique_ptr<Optimiser> optimiser_;
};

/// Makes running batch-norm statistics that each rank keeps of its own part the same on all ranks: their mean, which is
/// what one rank with the whole batch would have. Before evaluating and saving; nothing to do for global statistics.
void average_batch_norm_statistics(Model& model, const BatchNormStats& stats, Communicator& communicator);

}  // namespace lockstep
