// Batches of features instead of images: what the trained part of a network takes, read from a FeatureSet.
//
// Labels and ids come from the split. One batch is prepared ahead, by a thread that the feed owns. An epoch looks at
// every sample in one view: view (epoch + copy) mod views, as the training input's draws do (fixed_view()). Memory:
// three batches of features. Everything passed in must outlive the feed.
#pragma once
#include <future>

#include "lockstep/data/batch_source.hpp"
#include "lockstep/data/data_set.hpp"
#include "lockstep/features/feature_set.hpp"

namespace lockstep {

/// The view in which an epoch sees a sample's copy, of `views` that repeat.
constexpr std::int64_t fixed_view(std::int64_t epoch, std::int32_t copy, std::int64_t views) {
  return (epoch + copy) % views;
}

class FeatureFeed : public BatchSource {
 public:
  FeatureFeed(const FeatureSet& features, const DataSplit& split, BatchRequests requests, c10::Device device);
  ~FeatureFeed() override;

  std::optional<Batch> next() override;
  double waited_seconds() const override { return waited_; }

 private:
  std::optional<Batch> prepare();

  const FeatureSet& features_;
  const DataSplit& split_;
  BatchRequests requests_;
  c10::Device device_;
  double waited_ = 0;
  std::future<std::optional<Batch>> ahead_;  // the last member: it uses the others
};

}  // namespace lockstep
