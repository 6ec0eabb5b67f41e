// The training loop: steps, and at their boundaries what falls due: judgements, ends of epochs, checkpoints, stops.
//
// Every rank makes a Trainer with the same arguments but its own channels and calls run(). There is no "if
// distributed": one rank has serial channels. Rank 0 writes the run folder. Stops after the step in which any rank was
// asked to, with a checkpoint: going on from it, the run has the same losses and weights, bit for bit on the same
// number of ranks and threads, as if it had never stopped. Where more of the network is unfrozen, between two epochs,
// buckets and optimiser are made anew for what is trained from there on. With a mean of the weights (EMA, SWA) it is the
// mean that is judged and kept as weights; checkpoints hold both. A run that stopped early has its best weights in place
// in the end, if it has a folder to write them to.
//
// Memory: parameters + trained ones × (gradients 1 + optimiser 1 or 2) + the network once more for a mean of its weights
// + the trained part's activations of the rank's batch + the loader's batches; flat in the number of images but for 20
// bytes a sample (labels, ids, order) and what evaluation says. Errors: a data set that does not fit the config; weights
// of another network; more ranks than samples; a loss or gradient that is not finite; those of the parts.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lockstep/checkpoint/checkpoint.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/evaluate/evaluator.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/train/lr_search.hpp"
#include "lockstep/train/training_step.hpp"
#include "lockstep/weights/origin.hpp"

namespace lockstep {

/// The input side of a run made concrete: what the config left to the data set.
struct InputPlan {
  std::int64_t side = 0, eval_resize = 0;
  ChannelScale scale;
};

/// Errors: images that are not square; an evaluation resize below the side; labels missing for training.
InputPlan plan_input(const LoaderConfig& config, const Manifest& manifest);

/// What run.json says of a run.
RunRecord record_of(const RunConfig& config, const Manifest& manifest, const InputPlan& input, std::int64_t ranks);

/// What its weight files say of it.
WeightsOrigin origin_of(const RunConfig& config, const Manifest& manifest, const InputPlan& input);

struct TrainingResult {
  std::int64_t epochs = 0, steps = 0;  ///< completed, those before a resume included
  std::string metric;                  ///< what decided: the config's metric, or "training loss" where nothing judged
  double best_value = 0;               ///< of that metric
  std::int64_t best_epoch = 0;         ///< counted from 1; 0: nothing judged the model yet
  bool stopped = false;                ///< by a signal, before its end
  bool stopped_early = false;          ///< the metric had stopped to improve
};

/// What a few steps without any writing tell of the run they would begin.
struct Rehearsal {
  std::int64_t steps = 0, steps_per_epoch = 0, judgements = 0;  ///< of the whole run
  double step_seconds = 0;                                      ///< median, the wait for data included
  double judgement_seconds = 0;  ///< of one, estimated from one forward pass; 0: no split
  std::int64_t parameters = 0, trained_parameters = 0;
  std::int64_t exchanged_bytes = 0;  ///< per step and rank
  std::int64_t peak_bytes = 0;       ///< memory of the largest rank so far, on the host
};

class Trainer {
 public:
  struct Hooks {
    std::function<bool()> stop_requested = [] { return false; };
    /// After each step, on every rank.
    std::function<void(std::int64_t step, const StepResult&)> on_step = [](std::int64_t, const StepResult&) {};
    /// Before a run that made all its steps says so in its log, on every rank: what throws here makes it a failed one.
    std::function<void()> before_end = [] {};
  };

  /// Opens the data and builds the model; everything that a config can have wrong is found here.
  Trainer(const RunConfig& config, const Manifest& manifest, RankCommunicators& channels, const Log& log, Hooks hooks);
  ~Trainer();

  /// Goes on from a checkpoint, which rank 0 holds and the others don't. Before run(). Returns the steps made before.
  /// Errors: a checkpoint of another model or data set.
  std::int64_t restore(const std::optional<Checkpoint>& checkpoint);
  /// Once. `folder`: rank 0's; none where nothing is to be written.
  TrainingResult run(std::optional<RunFolder> folder);
  /// Instead of run().
  Rehearsal rehearse();
  /// Before run(), or instead of it: tries rising learning rates on the batches that come next, then puts weights and
  /// optimiser back. The same on every rank. Errors: fewer than two steps are left.
  LrSearch find_lr();
  Model& model();
  /// What run.json says of the network.
  NetworkRecord network() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
