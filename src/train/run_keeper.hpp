// What a run keeps on disk: weights, checkpoints, log.jsonl and what TensorBoard reads, written by rank 0.
//
// Weights and checkpoints are asked for by every rank together, since batch norm may have statistics that differ
// between ranks; log lines by rank 0 at any time. Internal to src/train. Errors: those of writing, which end the run.
#pragma once
#include <optional>
#include <string>

#include "lockstep/checkpoint/checkpoint.hpp"
#include "lockstep/comm/communicator.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/model/model.hpp"
#include "lockstep/optim/optimiser.hpp"
#include "lockstep/optim/weight_average.hpp"
#include "lockstep/record/json_log.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/weights/origin.hpp"
#include "train/tensorboard_log.hpp"

namespace lockstep {

/// What the metadata of a weight file says of it.
struct WeightsLabel {
  std::int64_t epoch = 0, steps = 0;
  std::string metric;
  double value = 0;
};

class RunKeeper {
 public:
  /// `folder`: of rank 0; none where nothing is to be written. Weight files say `origin` and `scale`, of the input.
  RunKeeper(std::optional<RunFolder> folder, const RunConfig& config, WeightsOrigin origin, ChannelScale scale,
            Communicator& control);

  /// A line of log.jsonl; TensorBoard gets its numbers. The first one of a start is "started" or "resumed".
  void log(const LogFields& fields);
  /// The run ends by an error: a line of log.jsonl, where it still can be written.
  void note_failure(std::int64_t epoch, std::int64_t steps, const std::string& reason) noexcept;
  /// Whether the log's last word is that the run has finished; true on ranks that don't write.
  bool has_finished() const;
  /// Histograms of what is trained, where they fall due after the epoch `epoch`, counted from 1; as TensorboardLog.
  void show_tensors(std::int64_t epoch, std::int64_t steps, const NamedTensors& trained, bool stepped);
  /// Some of the images that were judged, as TensorboardLog.
  void show_judged(std::int64_t steps, const std::vector<Prediction>& predictions, const JudgedImageSource& source);
  /// Whether an earlier start of the run has written to the log already.
  bool goes_on() const { return goes_on_; }
  /// Every rank calls these together; they return when rank 0 has written.
  void save_best(const Model& model, const WeightsLabel& label) const;
  void save_last(const Model& model, const WeightsLabel& label) const;

  /// Whether a checkpoint is due on this rank by the time since the last one: its interval in minutes has passed, or
  /// more has been learnt than may be lost in the judgement that comes next, unless checkpoints take long, too.
  bool due_by_clock(bool judgement_next) const;
  /// Every rank calls it with the same state; returns when the checkpoint is on disk. `average`: null where none is.
  void checkpoint(const TrainState& state, const Model& model, const Optimiser& optimiser, const WeightAverage* average,
                  const BatchNormStats& stats);
  /// Sets the model of every rank to the best weights. Every rank calls it. False: nothing was written.
  bool load_best(Model& model, Communicator& gradients) const;

 private:
  /// No rank may go on, or end and with it the run, while rank 0 writes.
  void wait_for_writer() const;
  bool writes() const { return folder_.has_value() && control_.rank() == 0; }
  void save(const std::filesystem::path& file, const Model& model, const WeightsLabel& label) const;
  NamedTensors gather_rank_buffers(const NamedTensors& buffers, const BatchNormStats& stats) const;

  std::optional<RunFolder> folder_;
  CheckpointConfig config_;
  WeightsOrigin origin_;
  ChannelScale scale_;
  Communicator& control_;
  std::optional<JsonLog> json_;
  std::optional<TensorboardLog> tensorboard_;
  bool goes_on_ = false;
  Stopwatch since_checkpoint_;
  double checkpoint_seconds_ = 0;  // of writing the newest one; 0 on ranks that don't
};

/// What a run trains and keeps.
struct Trained {
  Model& model;
  Optimiser& optimiser;
  WeightAverage* average;  ///< null: there is none
};

/// Sets all of it to a checkpoint that rank 0 holds, on every rank; returns its state. Every rank calls it,
/// rank 0 with the checkpoint, the others with none. Errors, on every rank: a checkpoint of another model (names and
/// shapes are listed) or data set.
TrainState restore(const std::optional<Checkpoint>& checkpoint, const std::string& data_digest, const Trained& trained,
                   Communicator& control, Communicator& gradients);

}  // namespace lockstep
