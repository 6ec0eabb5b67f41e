// The input side of a run: which samples, in which order, seen how; and the split that judges.
//
// Made from the config and the data set alone, the same on every rank, each with its own shards opened. Internal to
// src/train. Errors: more ranks than samples of a step; a sample without label; a split that judges what it trained.
#pragma once
#include <cstdint>
#include <optional>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/data/batch_plan.hpp"
#include "lockstep/data/block_reader.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/data/loader.hpp"
#include "lockstep/train/trainer.hpp"

namespace lockstep {

class TrainingInput {
 public:
  TrainingInput(const RunConfig& config, const Manifest& manifest, int ranks, const Log& log);

  const InputPlan& input() const { return input_; }
  const StepPlan& plan() const { return batches_.steps(); }
  const DataSplit& train() const { return train_; }
  /// None: nothing judges.
  const DataSplit* judged() const { return judged_ ? &*judged_ : nullptr; }
  const ImageTransform& transform() const { return transform_; }
  /// Steps of the whole run.
  std::int64_t steps() const;

  /// Batches of `rank` from the step `first` of the run to its end, on `device`. The object must outlive the loader;
  /// one loader at a time.
  std::unique_ptr<Loader> load_from(std::int64_t first, int rank, int ranks, c10::Device device);
  /// What those batches hold. The object must outlive the result.
  BatchRequests requests(std::int64_t first, int rank, int ranks) const;

  /// Ways in which an image is seen in the run; 0: in a new one each time.
  std::int64_t views() const;
  /// How an image is seen in a view.
  Augmentation augment_view(std::int64_t view, std::int64_t id) const { return draw(view, id, 0); }

 private:
  SampleDraws draws() const;
  Augmentation augment(std::int64_t epoch, std::int64_t id, std::int32_t copy) const;
  Augmentation draw(std::int64_t epoch, std::int64_t id, std::int32_t copy) const;

  RunConfig config_;
  ImageShape packed_;
  InputPlan input_;
  DataSplit train_;
  std::optional<DataSplit> judged_;
  ImageTransform transform_;
  BatchPlan batches_;
  std::unique_ptr<BlockReader> blocks_;  // of the loader; null: samples are read one by one
};

}  // namespace lockstep
