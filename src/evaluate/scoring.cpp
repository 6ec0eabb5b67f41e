#include "lockstep/evaluate/scoring.hpp"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>

#include "lockstep/core/error.hpp"
#include "lockstep/data/loader.hpp"
#include "lockstep/model/kernel_threads.hpp"

namespace lockstep {
namespace {

/// Axes of [n, channels, height, width] along which each further view of the images is mirrored.
std::vector<std::vector<std::int64_t>> mirrored_axes(TestTimeFlips flips) {
  constexpr std::int64_t height = 2, width = 3;
  if (flips == TestTimeFlips::none) return {};
  if (flips == TestTimeFlips::horizontal) return {{width}};
  return {{width}, {height}, {height, width}};
}

/// Scores whose softmax is the mean of the views' probabilities; of one view, its scores as they are.
at::Tensor scores_of(Model& model, const at::Tensor& images, std::size_t first_stage, TestTimeFlips flips) {
  const BatchContext context;  // evaluation
  at::Tensor scores = model.forward_stages(images, context, first_stage, model.stages().size());
  const auto mirrored = mirrored_axes(flips);
  if (mirrored.empty()) return scores;
  scores = at::log_softmax(scores, 1);
  for (const auto& axes : mirrored)
    scores = at::logaddexp(scores, at::log_softmax(model.forward(images.flip(axes), context), 1));
  return scores - std::log(static_cast<double>(mirrored.size() + 1));
}

ScoredBlock scored(const Batch& batch, const at::Tensor& logits) {
  const at::Tensor labels = batch.labels.cpu().contiguous();
  const std::int64_t* label = labels.const_data_ptr<std::int64_t>();
  ScoredBlock block{batch.step, batch.ids, {label, label + labels.numel()}, logits.cpu().contiguous()};
  if (at::isfinite(block.scores).all().item<bool>()) return block;
  throw Error(fmt::format("the network's scores of block {} are not finite", batch.step), "evaluation",
              "the training has diverged: lower --lr, or use the weights of an earlier epoch");
}

/// The batches of a source, which one thread asks at a time, and the first thing that went wrong with one.
class SharedSource {
 public:
  explicit SharedSource(std::unique_ptr<BatchSource> source) : source_(std::move(source)) {}

  std::optional<Batch> next() {
    const std::lock_guard lock(mutex_);
    return failure_ ? std::nullopt : source_->next();
  }
  void fail(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<BatchSource> source_;
  std::exception_ptr failure_;
};

void run_blocks(Model& model, SharedSource& source, std::size_t first_stage, TestTimeFlips flips,
                const TakeBlock& take) {
  const at::NoGradGuard no_grad;
  try {
    while (const std::optional<Batch> batch = source.next())
      take(scored(*batch, scores_of(model, batch->images, first_stage, flips)));
  } catch (...) {
    source.fail(std::current_exception());
  }
}

}  // namespace

EvaluationInput images_of(const DataSplit& split, const ImageTransform& transform, const EvaluationSettings& settings,
                          c10::Device device) {
  return {split,
          [&split, &transform, settings, device](BatchRequests requests) -> std::unique_ptr<BatchSource> {
            const auto draw = [&split, &transform, settings](std::int64_t, std::int64_t, std::int32_t) {
              Augmentation none;
              none.crop = centre_crop(split.shape().height, split.shape().width, settings.resize, transform.side());
              return none;
            };
            return std::make_unique<Loader>(
                split, split, transform, SampleDraws{draw, {}}, std::move(requests),
                LoaderSettings{settings.threads, settings.threads + 1, SlotType::float32, device});
          },
          0};
}

Blocks::Blocks(const DataSplit& split) : positions_(split.positions_by_id()) {}

BatchRequests Blocks::requests(Range range, int rank, int ranks) const {
  // The first block of this rank that is not before the range.
  const std::int64_t first = range.begin + (rank - range.begin % ranks + ranks) % ranks;
  return [this, block = first, end = std::min(range.end, count()), ranks]() mutable -> std::optional<BatchRequest> {
    if (block >= end) return std::nullopt;
    BatchRequest request;
    request.step = block;
    const std::int64_t begin = block * evaluation_block;
    request.positions.assign(positions_.begin() + begin,
                             positions_.begin() + std::min(samples(), begin + evaluation_block));
    block += ranks;
    return request;
  };
}

at::Tensor ScoredBlock::probabilities() const { return at::softmax(scores, 1); }

void score_blocks(Model& model, const EvaluationInput& input, const Blocks& blocks, Range range,
                  const EvaluationSettings& settings, const Communicator& communicator, const TakeBlock& take) {
  const SingleThreadedKernels single;
  SharedSource source(input.open(blocks.requests(range, communicator.rank(), communicator.size())));
  // A GPU takes one block after the other, whoever asks.
  run_on_threads(device_of(model).is_cpu() ? settings.threads : 1,
                 [&] { run_blocks(model, source, input.first_stage, settings.flips, take); });
  source.rethrow();
}

}  // namespace lockstep
