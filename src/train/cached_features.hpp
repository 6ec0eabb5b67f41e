// The features of a run: what the frozen part of its network makes of the images it trains on and is judged by.
//
// Every rank makes one together with the others, once the network has its weights and before the first step. The
// folder's name is a digest of all that decides about the features (the frozen part's weights, the data set and split,
// how images are cut, augmented and normalised): anything else finds no files and computes its own. In memory (a file
// system of the system's, once on each machine) the files lose their names as soon as all ranks have opened them, so
// nothing stays behind; on disk they stay for other runs. Memory: Place::memory takes the features' bytes, on every
// machine. Internal to src/train. Errors: nothing frozen; no room; those of computing and reading.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "lockstep/comm/communicator.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/evaluate/evaluator.hpp"
#include "lockstep/features/feature_set.hpp"
#include "train/training_input.hpp"

namespace lockstep {

/// The network's stages that are done once for all. Errors: there is none.
std::size_t stages_to_keep(const Model& model);

class CachedFeatures {
 public:
  /// `input` and `model` must outlive it; the model has the weights of the run, a checkpoint's where it goes on.
  /// `data_digest`: of the data set.
  CachedFeatures(const RunConfig& config, Model& model, const TrainingInput& input, const std::string& data_digest,
                 Communicator& control, const Log& log);

  std::unique_ptr<BatchSource> training_batches(BatchRequests requests, c10::Device device) const;
  EvaluationInput judged_input(c10::Device device) const;

 private:
  struct Split {
    FeatureViews views;
    std::filesystem::path folder;  // below the one where all are kept
    FeatureSet features;
  };

  Split plan(const FeatureViews& views, const std::string& about) const;
  void build(Split& split, const Builder& builder, std::int64_t& computed);

  const RunConfig& config_;
  Model& model_;
  const TrainingInput& input_;
  const std::size_t stages_;
  std::filesystem::path place_;
  std::string prefix_;  // digest of the frozen part
  std::optional<Split> train_, judged_;
};

}  // namespace lockstep
