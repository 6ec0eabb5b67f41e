#include "lockstep/evaluate/evaluator.hpp"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <numeric>

#include "lockstep/core/error.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/data/loader.hpp"
#include "lockstep/model/kernel_threads.hpp"

namespace lockstep {
namespace {

/// What one rank found, filled by its threads.
struct Findings {
  std::mutex mutex;
  std::vector<Prediction> predictions;
  std::vector<float> scores;  // probabilities, in the order of predictions; empty unless asked for
  std::exception_ptr failure;

  void add(const Batch& batch, const at::Tensor& logits, bool with_scores) {
    const at::Tensor dense = logits.cpu().contiguous(), labels = batch.labels.cpu();
    if (!at::isfinite(dense).all().item<bool>()) {
      throw Error(fmt::format("the network's scores of block {} are not finite", batch.step), "evaluation",
                  "the training has diverged: lower --lr, or use the weights of an earlier epoch");
    }
    const at::Tensor probabilities = with_scores ? at::softmax(dense, 1).contiguous() : at::Tensor();
    const auto classes = static_cast<std::size_t>(dense.size(1));
    const std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < batch.ids.size(); ++i) {
      const std::int64_t label = labels.const_data_ptr<std::int64_t>()[i];
      if (label < 0) continue;
      predictions.push_back(predict({dense.const_data_ptr<float>() + i * classes, classes}, batch.ids[i], label));
      if (!with_scores) continue;
      const float* row = probabilities.const_data_ptr<float>() + i * classes;
      scores.insert(scores.end(), row, row + classes);
    }
  }
};

/// The blocks of this rank, in order.
BatchRequests block_requests(const DataSplit& split, int rank, int ranks) {
  return [order = split.positions_by_id(), block = std::int64_t{rank}, ranks]() mutable -> std::optional<BatchRequest> {
    const auto samples = static_cast<std::int64_t>(order.size());
    const std::int64_t begin = block * evaluation_block, end = std::min(samples, begin + evaluation_block);
    if (begin >= samples) return std::nullopt;
    BatchRequest request;
    request.step = block;
    request.positions.assign(order.begin() + begin, order.begin() + end);
    block += ranks;
    return request;
  };
}

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

void run_blocks(Model& model, BatchSource& source, std::size_t first_stage, std::mutex& source_mutex,
                const EvaluationSettings& settings, Findings& findings) {
  const at::NoGradGuard no_grad;
  try {
    while (true) {
      std::unique_lock lock(source_mutex);
      const std::optional<Batch> batch = source.next();
      lock.unlock();
      if (!batch) return;
      findings.add(*batch, scores_of(model, batch->images, first_stage, settings.flips), settings.auc);
    }
  } catch (...) {
    const std::lock_guard lock(findings.mutex);
    findings.failure = std::current_exception();
  }
}

/// All ranks' predictions as rows of doubles: ids and classes are integers far below 2^53.
std::vector<Prediction> gather_predictions(const std::vector<Prediction>& mine, Communicator& communicator) {
  at::Tensor rows = at::empty({static_cast<std::int64_t>(mine.size()), 5}, at::kDouble);
  double* out = rows.data_ptr<double>();
  for (const Prediction& p : mine) {
    for (const double value : {static_cast<double>(p.id), static_cast<double>(p.label),
                               static_cast<double>(p.predicted), static_cast<double>(p.rank), p.loss}) {
      *out++ = value;
    }
  }
  const at::Tensor all = communicator.gather_unequal(rows);
  std::vector<Prediction> predictions;
  for (std::int64_t i = 0; i < all.size(0); ++i) {
    const double* row = all.const_data_ptr<double>() + 5 * i;
    predictions.push_back(
        {std::llround(row[0]), std::llround(row[1]), std::llround(row[2]), std::llround(row[3]), row[4]});
  }
  return predictions;
}

/// The places of the predictions in the order of ids.
std::vector<std::size_t> order_by_id(const std::vector<Prediction>& predictions) {
  std::vector<std::size_t> order(predictions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return predictions[a].id < predictions[b].id; });
  return order;
}

std::optional<double> gathered_auc(const std::vector<float>& mine, const std::vector<Prediction>& all,
                                   const std::vector<std::size_t>& order, std::int64_t classes,
                                   Communicator& communicator) {
  const at::Tensor rows = at::tensor(at::ArrayRef<float>(mine), at::kFloat).view({-1, classes});
  const at::Tensor scores = communicator.gather_unequal(rows);
  std::vector<float> sorted;
  std::vector<std::int64_t> labels;
  for (const std::size_t place : order) {
    const float* row = scores.const_data_ptr<float>() + place * static_cast<std::size_t>(classes);
    sorted.insert(sorted.end(), row, row + classes);
    labels.push_back(all[place].label);
  }
  return macro_auc(sorted, labels, classes);
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

Evaluation evaluate(Model& model, const EvaluationInput& input, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator) {
  const Stopwatch watch;
  Findings findings;
  {
    const SingleThreadedKernels single;
    const std::unique_ptr<BatchSource> source =
        input.open(block_requests(input.split, communicator.rank(), communicator.size()));
    std::mutex source_mutex;
    // A GPU takes one block after the other, whoever asks.
    run_on_threads(device_of(model).is_cpu() ? settings.threads : 1,
                   [&] { run_blocks(model, *source, input.first_stage, source_mutex, settings, findings); });
  }
  if (findings.failure) std::rethrow_exception(findings.failure);
  const std::vector<Prediction> all = gather_predictions(findings.predictions, communicator);
  const std::vector<std::size_t> order = order_by_id(all);
  Evaluation evaluation;
  for (const std::size_t place : order) evaluation.predictions.push_back(all[place]);
  evaluation.metrics = compute_metrics(evaluation.predictions, classes);
  if (settings.auc) evaluation.metrics.auc = gathered_auc(findings.scores, all, order, classes, communicator);
  evaluation.seconds = watch.seconds();
  return evaluation;
}

Evaluation evaluate(Model& model, const DataSplit& split, const ImageTransform& transform, std::int64_t classes,
                    const EvaluationSettings& settings, Communicator& communicator) {
  return evaluate(model, images_of(split, transform, settings, device_of(model)), classes, settings, communicator);
}

}  // namespace lockstep
