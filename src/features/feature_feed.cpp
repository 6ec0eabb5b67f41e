#include "lockstep/features/feature_feed.hpp"

#include <ATen/ATen.h>

#include "lockstep/core/stopwatch.hpp"

namespace lockstep {
namespace {

/// Memory of n samples' features, channels innermost, seen as [n, channels, height, width] or [n, channels].
at::Tensor memory_of(std::int64_t n, const FeatureShape& shape) {
  std::vector<std::int64_t> sizes{n};
  sizes.insert(sizes.end(), shape.sizes.begin(), shape.sizes.end());
  const at::MemoryFormat format = sizes.size() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  return at::empty(sizes, at::TensorOptions().dtype(at::kFloat).memory_format(format));
}

}  // namespace

FeatureFeed::FeatureFeed(const FeatureSet& features, const DataSplit& split, BatchRequests requests, c10::Device device)
    : features_(features), split_(split), requests_(std::move(requests)), device_(device) {
  ahead_ = std::async(std::launch::async, [this] { return prepare(); });
}

FeatureFeed::~FeatureFeed() {
  if (ahead_.valid()) ahead_.wait();
}

std::optional<Batch> FeatureFeed::prepare() {
  const std::optional<BatchRequest> request = requests_();
  if (!request) return std::nullopt;
  const auto n = static_cast<std::int64_t>(request->positions.size());
  Batch batch;
  batch.epoch = request->epoch;
  batch.step = request->step;
  batch.images = memory_of(n, features_.shape());
  batch.labels = at::empty({n}, at::kLong);
  const auto elements = static_cast<std::size_t>(features_.shape().elements());
  for (std::size_t i = 0; i < request->positions.size(); ++i) {
    const std::int64_t position = request->positions[i];
    features_.read(fixed_view(request->epoch, request->copy(i), features_.views()), position,
                   {batch.images.data_ptr<float>() + i * elements, elements});
    batch.ids.push_back(split_.id(position));
    batch.labels.data_ptr<std::int64_t>()[i] = split_.label(position);
  }
  if (!device_.is_cpu()) {
    batch.images = batch.images.to(device_);
    batch.labels = batch.labels.to(device_);
  }
  return batch;
}

std::optional<Batch> FeatureFeed::next() {
  if (!ahead_.valid()) return std::nullopt;
  const Stopwatch watch;
  std::optional<Batch> batch = ahead_.get();
  waited_ += watch.seconds();
  if (batch) ahead_ = std::async(std::launch::async, [this] { return prepare(); });
  return batch;
}

}  // namespace lockstep
