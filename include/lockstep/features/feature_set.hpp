// The features of one split in a folder: every sample in every view, in shards; made once, then read.
//
// A view is one fixed way of looking at all images: the centre crop, or one of K fixed augmentations. Files:
// <split>-v<view>-<number>.h5 (feature_shard.hpp), each a run of positions of the split in one view, of about 128 MiB.
// They are computed in blocks of 32 samples, each by one thread: the features do not depend on the number of ranks or
// threads. Files that are there are taken for what they are called: the folder's name says what made them
// (cached_features.hpp). Errors: those of reading, writing, and of the network's scores not being finite.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/data/data_set.hpp"
#include "lockstep/data/image_transform.hpp"
#include "lockstep/features/feature_shard.hpp"
#include "lockstep/model/model.hpp"

namespace lockstep {

/// How the images of a split are seen.
struct FeatureViews {
  const DataSplit& split;
  const ImageTransform& transform;
  std::int64_t views = 1;
  std::function<Augmentation(std::int64_t view, std::int64_t id)> augment;  ///< any thread
};

/// Who computes which shards: each the `index`-th of every `count`.
struct Builder {
  std::int64_t index = 0, count = 1;
  std::int64_t threads = 1;
};

/// What one image becomes after the first `stages` stages.
FeatureShape feature_shape(Model& model, std::size_t stages, const FeatureViews& views);

class FeatureSet {
 public:
  /// Only names files. `folder` must be there for what follows.
  FeatureSet(std::filesystem::path folder, std::string split, std::int64_t samples, std::int64_t views,
             FeatureShape shape);

  const FeatureShape& shape() const { return shape_; }
  std::int64_t views() const { return views_; }
  /// Of all its files, but for a few KiB each.
  std::int64_t bytes() const { return samples_ * views_ * shape_.bytes(); }
  /// Of those that are not there yet.
  std::int64_t missing_bytes() const;

  /// Computes the builder's shards that are not there; returns how many samples that were. The model is in evaluation
  /// meanwhile, kernels run with one thread.
  std::int64_t build(Model& model, std::size_t stages, const FeatureViews& views, const Builder& builder) const;
  /// Opens all shards; none may be missing.
  void open();
  /// After open(), from any thread.
  void read(std::int64_t view, std::int64_t position, std::span<float> into) const;

 private:
  struct Part {
    std::int64_t view = 0;
    Range positions;
    std::filesystem::path file;
  };

  std::filesystem::path folder_;
  std::int64_t samples_, views_, per_shard_;
  FeatureShape shape_;
  std::vector<Part> parts_;           // view after view
  std::vector<FeatureShard> shards_;  // [part], once open
};

}  // namespace lockstep
