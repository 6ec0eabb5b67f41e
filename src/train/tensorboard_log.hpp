// What a run tells TensorBoard, beside log.jsonl and from the same lines: one event file in the run's folder per start.
//
// Numbers are taken from the lines of log.jsonl as they are written, so that both say the same: "step/…", "epoch/…",
// "judged/…"; the config as text; options and deciding metric for the HParams tab. Weights and gradients of what is
// trained come as histograms after an epoch, judged images when the model is the best so far. Everything is rank 0's,
// which holds the same weights and summed gradients as all: nothing is exchanged. Cost: a write of some hundred bytes
// for each line; for histograms one pass over the trained weights and gradients (copied from a GPU one tensor at a
// time); for images their reading and PNG. Internal to src/train. Errors: those of writing, which end the run.
#pragma once
#include <optional>
#include <vector>

#include "lockstep/gradients/gradient_buckets.hpp"
#include "lockstep/record/event_file.hpp"
#include "lockstep/record/json_log.hpp"
#include "lockstep/record/run_folder.hpp"
#include "train/judged_pictures.hpp"

namespace lockstep {

class TensorboardLog {
 public:
  /// `folder`: of the run; its config and record are written already.
  TensorboardLog(RunFolder folder, const LogsConfig& config);

  /// A line of log.jsonl. "started" and "resumed" begin the event file; nothing is written before.
  /// Returns a line that log.jsonl is to keep behind it, if there is one.
  std::optional<LogFields> take(const LogFields& fields);
  /// After the epoch `epoch`, counted from 1, and `steps` steps: nothing unless it is one of those asked for.
  /// `trained`: parameters; `stepped`: their gradients are those of the newest step.
  void show_tensors(std::int64_t epoch, std::int64_t steps, const NamedTensors& trained, bool stepped);
  /// Images with what was said of them. Returns the line of log.jsonl that keeps which ones, when they are chosen.
  std::optional<LogFields> show_judged(std::int64_t steps, const std::vector<Prediction>& predictions,
                                       const JudgedImageSource& source);

 private:
  void begin(const LogFields& fields);
  LogFields shown_images(std::int64_t step) const;

  RunFolder folder_;
  LogsConfig config_;
  std::vector<std::string> classes_;
  std::optional<EventFile> events_;
  std::vector<std::int64_t> pictures_;  // ids; empty: not chosen yet
};

}  // namespace lockstep
