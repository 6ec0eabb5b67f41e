#include "lockstep/features/feature_set.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <numeric>

#include "lockstep/core/error.hpp"
#include "lockstep/data/loader.hpp"
#include "lockstep/model/kernel_threads.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t block_samples = 32, shard_bytes = std::int64_t{128} << 20;

std::int64_t samples_per_shard(const FeatureShape& shape) {
  return std::max<std::int64_t>(1, shard_bytes / shape.bytes() / block_samples) * block_samples;
}

/// The blocks of a run of positions, one after the other; a batch's step is its block's first position.
BatchRequests blocks_of(Range positions, std::int64_t view) {
  return [next = positions.begin, end = positions.end, view]() mutable -> std::optional<BatchRequest> {
    if (next >= end) return std::nullopt;
    BatchRequest request;
    request.epoch = view;
    request.step = next;
    request.positions.resize(static_cast<std::size_t>(std::min(block_samples, end - next)));
    std::iota(request.positions.begin(), request.positions.end(), next);
    next += block_samples;
    return request;
  };
}

SampleDraws draws_of(const FeatureViews& views) {
  return {[&views](std::int64_t view, std::int64_t id, std::int32_t) { return views.augment(view, id); }, {}};
}

/// Channels innermost, float32, on the CPU.
at::Tensor as_stored(const at::Tensor& features) {
  const at::Tensor host = features.to(at::kCPU, at::kFloat);
  return host.dim() == 4 ? host.permute({0, 2, 3, 1}).contiguous() : host.contiguous();
}

std::span<const float> values_of(const at::Tensor& dense) {
  return {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())};
}

void require_finite(const at::Tensor& features, std::int64_t first) {
  if (at::isfinite(features).all().item<bool>()) return;
  throw Error(fmt::format("the frozen part's features of samples {} to {} are not finite", first,
                          first + features.size(0) - 1),
              "--feature-cache", "the weights it has are damaged, or not for images normalised like these");
}

/// Fills one shard by several threads.
class ShardBuilder {
 public:
  ShardBuilder(Model& model, std::size_t stages, Range positions, Loader& loader, FeatureShardWriter& writer)
      : model_(model), stages_(stages), positions_(positions), loader_(loader), writer_(writer) {}

  void run(std::int64_t threads) {
    run_on_threads(threads, [this] { work(); });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void work() noexcept {
    const at::NoGradGuard no_grad;
    try {
      while (true) {
        std::unique_lock lock(mutex_);
        const std::optional<Batch> batch = failure_ ? std::nullopt : loader_.next();
        lock.unlock();
        if (!batch) return;
        const at::Tensor features = as_stored(model_.forward_stages(batch->images, BatchContext(), 0, stages_));
        require_finite(features, batch->step);
        writer_.write(batch->step - positions_.begin, values_of(features));
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  Model& model_;
  const std::size_t stages_;
  const Range positions_;
  Loader& loader_;
  FeatureShardWriter& writer_;
  std::mutex mutex_;  // guards the loader and failure_
  std::exception_ptr failure_;
};

}  // namespace

FeatureShape feature_shape(Model& model, std::size_t stages, const FeatureViews& views) {
  const at::NoGradGuard no_grad;
  const std::int64_t side = views.transform.side();
  const at::Tensor image = at::zeros({1, views.split.shape().channels, side, side}, device_of(model));
  const at::Tensor features =
      model.forward_stages(image.contiguous(at::MemoryFormat::ChannelsLast), BatchContext(), 0, stages);
  return {features.sizes().slice(1).vec()};
}

FeatureSet::FeatureSet(std::filesystem::path folder, std::string split, std::int64_t samples, std::int64_t views,
                       FeatureShape shape)
    : folder_(std::move(folder)),
      samples_(samples),
      views_(views),
      per_shard_(samples_per_shard(shape)),
      shape_(std::move(shape)) {
  for (std::int64_t view = 0; view < views_; ++view) {
    for (std::int64_t first = 0; first < samples_; first += per_shard_) {
      const Range positions{first, std::min(samples_, first + per_shard_)};
      parts_.push_back({view, positions, folder_ / fmt::format("{}-v{}-{:05}.h5", split, view, first / per_shard_)});
    }
  }
}

std::int64_t FeatureSet::missing_bytes() const {
  std::int64_t samples = 0;
  for (const Part& part : parts_) samples += std::filesystem::exists(part.file) ? 0 : part.positions.size();
  return samples * shape_.bytes();
}

std::int64_t FeatureSet::build(Model& model, std::size_t stages, const FeatureViews& views,
                               const Builder& builder) const {
  const SingleThreadedKernels single;
  const c10::Device device = device_of(model);
  const std::int64_t threads = device.is_cpu() ? builder.threads : 1;  // a GPU takes one block after the other
  std::int64_t computed = 0;
  for (std::size_t i = static_cast<std::size_t>(builder.index); i < parts_.size();
       i += static_cast<std::size_t>(builder.count)) {
    const Part& part = parts_[i];
    if (std::filesystem::exists(part.file)) continue;
    FeatureShardWriter writer(part.file, part.positions.size(), shape_);
    Loader loader(views.split, views.split, views.transform, draws_of(views), blocks_of(part.positions, part.view),
                  {builder.threads, builder.threads + 1, SlotType::float32, device});
    ShardBuilder(model, stages, part.positions, loader, writer).run(threads);
    writer.finish();
    computed += part.positions.size();
  }
  return computed;
}

void FeatureSet::open() {
  for (const Part& part : parts_) shards_.emplace_back(part.file, part.positions.size(), shape_);
}

void FeatureSet::read(std::int64_t view, std::int64_t position, std::span<float> into) const {
  const std::int64_t shards_of_view = std::ssize(parts_) / views_;
  const auto part = static_cast<std::size_t>(view * shards_of_view + position / per_shard_);
  shards_.at(part).read(position % per_shard_, into);
}

}  // namespace lockstep
