// The parts of a training run and where it stands: what the methods of Trainer work on.
//
// Internal to src/train. trainer_state.cpp makes the parts and the steps, trainer.cpp what falls due between steps,
// rehearsal.cpp and find_lr.cpp what is done instead of a run. Every rank has one; rank 0's writes.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/core/stopwatch.hpp"
#include "lockstep/model/freezing.hpp"
#include "lockstep/model/pretrained.hpp"
#include "lockstep/optim/schedule.hpp"
#include "lockstep/optim/weight_average.hpp"
#include "lockstep/train/trainer.hpp"
#include "train/cached_features.hpp"
#include "train/epoch_report.hpp"
#include "train/run_keeper.hpp"
#include "train/training_input.hpp"

namespace lockstep {

struct Trainer::State {
  RunConfig config;
  std::int64_t classes;
  std::vector<double> class_weights;  // [class]; empty: 1
  std::string data_digest;
  WeightsOrigin origin;  // of the weight files
  RankCommunicators& channels;
  const Log& log;
  Hooks hooks;

  TrainingInput data;
  Schedule schedule;
  std::shared_ptr<Model> model;
  TrainedPart trained;
  std::size_t first_stage = 0;               // of the network, where batches go in
  std::unique_ptr<CachedFeatures> features;  // null: the whole network takes images
  std::unique_ptr<TrainingStep> step;
  std::unique_ptr<WeightAverage> average;  // null: the newest weights are judged and kept
  std::size_t phase = 0;                   // of the unfreezing
  std::unique_ptr<RunKeeper> keeper;
  std::unique_ptr<BatchSource> source;
  std::optional<Batch> batch;           // of the newest step
  std::optional<double> gradient_norm;  // of it, where it is known

  TrainState at;
  EpochTally tally, stretch;      // of the epoch; since the last line of the log
  std::int64_t steps_before = 0;  // made before this start of the run
  struct {
    std::int64_t steps = 0, judged_steps = 0;
  } kept;  // `at` in the newest checkpoint
  bool checkpoint_by_clock = false;
  Stopwatch watch, since_live_line;

  State(const RunConfig& config, const Manifest& manifest, RankCommunicators& channels, const Log& log, Hooks hooks);

  // The parts.
  // ---------------------------------------------------------------------------------------------------------

  /// Freezes what is frozen in the epoch that begins and makes the step of what is trained; what the optimiser knows of
  /// it goes on. Every rank calls it at the start, before a checkpoint is taken up and between epochs.
  void make_step_of_phase();
  /// Rank 0's are broadcast afterwards; the others' report is empty.
  PretrainedReport start_from_weights() const;
  void begin(std::optional<RunFolder> folder);
  /// Batches from the step on that is made next: of images, or of features of what is frozen now. Comes after a
  /// checkpoint has brought its weights, and again where an unfreezing moves the cut.
  void open_batches();
  /// From the step `first` of the run on. One source at a time.
  std::unique_ptr<BatchSource> open_source(std::int64_t first);

  bool keeps_features() const { return config.features.place != FeatureCacheConfig::Place::off; }
  bool out_of_patience() const {
    return config.early_stopping.patience > 0 && at.early_stopping.waited >= config.early_stopping.patience;
  }
  /// Judgements without improvement have ended the run before its last step.
  bool stopped_early() const { return out_of_patience() && at.steps < data.steps(); }
  bool run_over() const { return at.steps >= data.steps() || out_of_patience(); }
  /// Nothing is left to do: resumed after its end.
  bool over_and_judged() const { return run_over() && at.judged_steps == at.steps; }
  bool epoch_over() const { return at.step == data.plan().steps(); }
  EpochPlace place() const { return {at.epoch + 1, config.epochs, at.step, data.plan().steps()}; }
  std::string metric_name() const;
  /// A score as a person expects it: losses are scored with their sign changed.
  double shown(double score) const;
  double seconds_left() const;
  /// Of the step that is made next, or of the newest one.
  double lr_of(std::int64_t made) const { return schedule.lr(made, at.plateaus); }

  // Steps.
  // -------------------------------------------------------------------------------------------------------------

  /// Where a batch stands: `steps` of the run were made before it, `step` of its epoch.
  StepPlace place_of(std::int64_t steps, std::int64_t step_of_epoch) const;
  /// Takes the next batch through the network; counts nothing. `waited`: seconds until there was one.
  StepResult take_step(const StepPlace& where, double lr, double& waited);
  StepResult make_step();
  void require_finite(const StepResult& made) const;
  void report_step();

  // What falls due between steps.
  // --------------------------------------------------------------------------------------

  /// Whether a judgement is due after so many steps, unless judgements end the run before.
  bool judged_after(std::int64_t steps) const;
  bool judgement_due() const;
  bool checkpoint_due() const;
  void settle();
  /// Judges the weights and closes the epoch, with the mean of the weights in their place if there is one.
  void judge_and_close(bool judge_now);
  /// Finds batch norm's statistics of a mean of weights, by batches of the epoch.
  void measure_statistics();
  bool judge(std::optional<Evaluation>& judged);
  /// What early stopping and the plateau schedule make of a judgement.
  void count_judgement(double score);
  void report_judgement(const Evaluation& judged, bool best);
  /// `lr`: of the last step.
  void close_epoch(const std::optional<Evaluation>& judged, bool best, double lr);
  void keep();
  void stop();
  TrainingResult run();
  /// Says in the log how the run ended.
  TrainingResult finished();
  TrainingResult result(bool stopped) const;

  // Instead of a run.
  // --------------------------------------------------------------------------------------------------

  std::int64_t judgements() const;
  double judgement_seconds();
  Rehearsal rehearse();
  LrSearch find_lr();
};

}  // namespace lockstep
