#include "lockstep/train/training_step.hpp"

#include <ATen/ATen.h>

#include "lockstep/gradients/clip_gradients.hpp"
#include "lockstep/model/learning_rates.hpp"
#include "lockstep/model/loss.hpp"

namespace lockstep {

namespace {

/// What an auxiliary head's loss counts for beside the loss itself (Szegedy et al., 2015: 0.3; torchvision: 0.4).
constexpr double auxiliary_share = 0.4;

/// What each sample shall be: its label, or the shares of the two labels that were mixed.
at::Tensor targets_of(const Batch& batch, std::int64_t classes) {
  if (!batch.own_share.defined()) return batch.labels;
  const at::Tensor own = batch.own_share.unsqueeze(1);
  at::Tensor targets = at::zeros({batch.labels.size(0), classes}, own.options());
  targets.scatter_add_(1, batch.labels.unsqueeze(1), own);
  return targets.scatter_add_(1, batch.partner_labels.unsqueeze(1), 1 - own);
}

/// The label that has the larger share of each sample.
at::Tensor main_labels(const Batch& batch) {
  if (!batch.own_share.defined()) return batch.labels;
  return at::where(batch.own_share.ge(0.5), batch.labels, batch.partner_labels);
}

std::vector<double> factors_of(const Model& model, const OptimiserConfig& config, const GradientBuckets& buckets) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : buckets.parameters()) names.push_back(name);
  return learning_rate_factors(model, config, names);
}

at::Tensor tensor_of(const std::vector<double>& class_weights, c10::Device device) {
  if (class_weights.empty()) return {};
  return at::tensor(class_weights, at::TensorOptions().dtype(at::kFloat)).to(device);
}

}  // namespace

TrainingStep::TrainingStep(Model& model, const RunConfig& config, RankCommunicators& channels, std::size_t first_stage,
                           const std::vector<double>& class_weights)
    : model_(model),
      channels_(channels),
      first_stage_(first_stage),
      seed_(config.seed),
      label_smoothing_(config.label_smoothing),
      clipping_(config.clipping),
      class_weights_(tensor_of(class_weights, channels.gradients->device())),
      buckets_(*channels.gradients, model.named_parameters().pairs(),
               {std::min<std::int64_t>(1 << 20, config.bucket_bytes), config.bucket_bytes}),
      reducer_(*channels.gradients, buckets_),
      optimiser_(
          make_optimiser(config.optimiser, buckets_.parameters(), factors_of(model, config.optimiser, buckets_))) {}

StepResult TrainingStep::run(const Batch& batch, const StepPlace& place, double lr) {
  at::Tensor auxiliary_logits;  // stay undefined for a network without auxiliary head
  BatchContext context = context_of(batch, place);
  context.auxiliary_logits = &auxiliary_logits;
  reducer_.begin();
  const at::Tensor logits = model_.forward_stages(batch.images, context, first_stage_, model_.stages().size());
  const at::Tensor targets = targets_of(batch, logits.size(1));
  at::Tensor loss_sum = cross_entropy_sum(logits, targets, label_smoothing_, class_weights_);
  if (auxiliary_logits.defined())
    loss_sum =
        loss_sum + auxiliary_share * cross_entropy_sum(auxiliary_logits, targets, label_smoothing_, class_weights_);
  (loss_sum / static_cast<double>(place.global_samples)).backward();
  const ExchangeStats exchange = reducer_.finish();
  const at::Tensor norm = clip_gradients(buckets_, clipping_);
  optimiser_->step(lr);
  const at::Tensor correct = logits.detach().argmax(1).eq(main_labels(batch)).sum();
  // The one place where the host waits for a GPU: a rank that hangs is found here, by a deadline.
  channels_.gradients->settle();
  std::vector<at::Tensor> values{loss_sum.detach().to(at::kDouble), correct.to(at::kDouble)};
  if (norm.defined()) values.push_back(norm);
  const at::Tensor found = at::stack(values).cpu();
  StepResult result = agree(found, batch, place);
  result.exchange = exchange;
  return result;
}

void TrainingStep::observe(const Batch& batch, const StepPlace& place) {
  const at::NoGradGuard no_grad;
  model_.forward_stages(batch.images, context_of(batch, place), first_stage_, model_.stages().size());
}

BatchContext TrainingStep::context_of(const Batch& batch, const StepPlace& place) const {
  BatchContext context;
  context.training = true;
  context.seed = seed_;
  context.step = place.step;
  context.ids = batch.ids;
  context.groups = place.groups;
  context.global_samples = place.global_samples;
  context.ranks = channels_.control->size();
  context.sum_over_ranks = [statistics = channels_.statistics.get()](at::Tensor& values) {
    statistics->sum(values).let_stream_wait();
  };
  return context;
}

StepResult TrainingStep::agree(const at::Tensor& found, const Batch& batch, const StepPlace& place) const {
  at::Tensor tally = at::zeros({5}, at::kDouble);
  double* values = tally.data_ptr<double>();
  std::copy_n(found.const_data_ptr<double>(), 2, values);
  values[2] = static_cast<double>(batch.ids.size());
  values[3] = place.stop_here ? 1.0 : 0.0;
  values[4] = place.checkpoint_here ? 1.0 : 0.0;
  channels_.control->sum(tally).wait();
  StepResult result;
  result.loss = values[0] / static_cast<double>(place.global_samples);
  result.correct = static_cast<std::int64_t>(values[1]);
  result.samples = static_cast<std::int64_t>(values[2]);
  result.stop = values[3] > 0;
  result.checkpoint = values[4] > 0;
  if (found.size(0) > 2) result.gradient_norm = found[2].item<double>();  // the same on every rank
  return result;
}

void average_batch_norm_statistics(Model& model, const BatchNormStats& stats, Communicator& communicator) {
  if (stats.over == BatchNormStats::Over::global_batch || communicator.size() == 1) return;
  const at::NoGradGuard no_grad;
  for (at::Tensor& buffer : model.buffers()) {
    if (!buffer.is_floating_point()) continue;
    at::Tensor values = buffer.to(communicator.device(), at::kDouble);
    communicator.sum(values).wait();
    buffer.copy_(values / communicator.size());
  }
}

}  // namespace lockstep
