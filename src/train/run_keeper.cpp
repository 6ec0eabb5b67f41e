#include "train/run_keeper.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lockstep/comm/agreement.hpp"
#include "lockstep/comm/broadcast_text.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/gradients/broadcast_parameters.hpp"
#include "lockstep/record/run_log.hpp"
#include "lockstep/weights/input_statistics.hpp"
#include "lockstep/weights/safetensors.hpp"

namespace lockstep {
namespace {

/// Levels 0 … 255 as the values 0 … 1 of weight files.
std::vector<double> shares_of(const std::vector<float>& levels) {
  std::vector<double> shares;
  for (const float level : levels) shares.push_back(static_cast<double>(level) / 255);
  return shares;
}

/// The model's tensors with those that differ between ranks replaced by their mean, which is what one rank with the
/// whole batch would have.
NamedTensors with_means(NamedTensors model, const NamedTensors& per_rank) {
  for (auto& [name, tensor] : model) {
    const auto same = [&name = name](const auto& pair) { return pair.first == name; };
    const auto found = std::find_if(per_rank.begin(), per_rank.end(), same);
    if (found != per_rank.end()) tensor = found->second.to(at::kDouble).mean(0).to(tensor.scalar_type());
  }
  return model;
}

/// The model's statistics, which may differ between ranks, and those of the mean of its weights.
NamedTensors statistics_of(const Model& model, const WeightAverage* average) {
  NamedTensors buffers;
  for (const auto& item : model.named_buffers()) {
    if (item.value().is_floating_point()) buffers.emplace_back(item.key(), item.value());
  }
  if (average == nullptr) return buffers;
  const std::map<std::string, at::Tensor> averaged(average->state().begin(), average->state().end());
  const std::size_t own = buffers.size();
  for (std::size_t i = 0; i < own; ++i) {
    const std::string name = "average." + buffers[i].first;
    buffers.emplace_back(name, averaged.at(name));
  }
  return buffers;
}

/// What a checkpoint keeps beside the model: moments, and the mean of the weights.
NamedTensors moments_of(const Optimiser& optimiser, const WeightAverage* average) {
  NamedTensors tensors = optimiser.state();
  if (average != nullptr) tensors.insert(tensors.end(), average->state().begin(), average->state().end());
  return tensors;
}

/// Each rank takes its row of the buffers that differed between ranks. `per_rank` counts on rank 0.
void restore_rank_buffers(const NamedTensors& per_rank, const NamedTensors& buffers, Communicator& control) {
  const at::NoGradGuard no_grad;
  if (broadcast_text(control, per_rank.empty() ? "" : "some").empty()) return;
  const std::map<std::string, at::Tensor> held(per_rank.begin(), per_rank.end());
  for (const auto& [name, tensor] : buffers) {
    at::Tensor buffer = tensor;
    const auto found = held.find(name);
    if (broadcast_text(control, found == held.end() ? "" : "kept").empty()) continue;
    std::vector<std::int64_t> shape = buffer.sizes().vec();
    shape.insert(shape.begin(), control.size());
    at::Tensor all = at::empty(shape, buffer.options().device(control.device()));
    if (control.rank() == 0) all.copy_(found->second);
    control.broadcast(all, 0).wait();
    buffer.copy_(all[control.rank()]);
  }
}

/// An optimiser without moments says nothing of what it trains but this.
void require_same_trained(const std::map<std::string, std::int64_t>& kept,
                          const std::map<std::string, std::int64_t>& trained, const std::filesystem::path& folder) {
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::ranges::equal(kept, trained, same)) return;
  throw Error(fmt::format("the checkpoint trained {} parameter tensors, the model trains {} others", kept.size(),
                          trained.size()),
              folder.string(), "go on with what the run froze and unfroze");
}

}  // namespace

RunKeeper::RunKeeper(std::optional<RunFolder> folder, const RunConfig& config, WeightsOrigin origin, ChannelScale scale,
                     Communicator& control)
    : folder_(std::move(folder)),
      config_(config.checkpoint),
      origin_(std::move(origin)),
      scale_(std::move(scale)),
      control_(control) {
  if (!writes()) return;
  goes_on_ = std::filesystem::exists(folder_->log());
  json_.emplace(folder_->log());
  if (config.logs.tensorboard) tensorboard_.emplace(*folder_, config.logs);
}

void RunKeeper::log(const LogFields& fields) {
  if (json_) json_->write(fields);
  if (!tensorboard_) return;
  if (const auto line = tensorboard_->take(fields)) json_->write(*line);
}

bool RunKeeper::has_finished() const {
  if (!writes()) return true;
  const auto lines = read_run_log(folder_->log(), {"started", "resumed", "finished", "stopped", "failed"});
  return !lines.empty() && lines.back().event() == "finished";
}

void RunKeeper::note_failure(std::int64_t epoch, std::int64_t steps, const std::string& reason) noexcept {
  try {
    log({{"event", std::string("failed")}, {"epoch", epoch}, {"step", steps}, {"reason", reason}});
  } catch (const std::exception&) {
    // It may be the log that failed; the error itself is on its way to the user.
  }
}

void RunKeeper::show_tensors(std::int64_t epoch, std::int64_t steps, const NamedTensors& trained, bool stepped) {
  if (tensorboard_) tensorboard_->show_tensors(epoch, steps, trained, stepped);
}

void RunKeeper::show_judged(std::int64_t steps, const std::vector<Prediction>& predictions,
                            const JudgedImageSource& source) {
  if (!tensorboard_) return;
  if (const auto chosen = tensorboard_->show_judged(steps, predictions, source)) log(*chosen);
}

void RunKeeper::save(const std::filesystem::path& file, const Model& model, const WeightsLabel& label) const {
  WeightFile weights{state_of(model),
                     {{"format", "pt"},
                      {"epoch", std::to_string(label.epoch)},
                      {"step", std::to_string(label.steps)},
                      {"metric", label.metric},
                      {"value", fmt::format("{}", label.value)}}};
  set_input_statistics(weights, {shares_of(scale_.mean), shares_of(scale_.std)});
  set_weights_origin(weights, origin_);
  write_safetensors(file, weights);
}

void RunKeeper::save_best(const Model& model, const WeightsLabel& label) const {
  if (writes()) save(folder_->best_weights(), model, label);
  wait_for_writer();
}

void RunKeeper::save_last(const Model& model, const WeightsLabel& label) const {
  if (writes()) save(folder_->last_weights(), model, label);
  wait_for_writer();
}

void RunKeeper::wait_for_writer() const {
  // A slow file system is no hung rank: an hour, whatever an exchange may take.
  constexpr Seconds patience{3600};
  control_.post({}).wait(std::max(patience, control_.deadline()));
}

bool RunKeeper::due_by_clock(bool judgement_next) const {
  const double seconds = since_checkpoint_.seconds();
  const bool interval_passed =
      config_.every.unit == Interval::Unit::minutes && seconds >= 60.0 * static_cast<double>(config_.every.count);
  const bool much_at_stake =
      seconds >= config_.seconds_at_stake && seconds >= config_.writings_at_stake * checkpoint_seconds_;
  return interval_passed || (judgement_next && much_at_stake);
}

NamedTensors RunKeeper::gather_rank_buffers(const NamedTensors& buffers, const BatchNormStats& stats) const {
  NamedTensors gathered;
  if (stats.over == BatchNormStats::Over::global_batch || control_.size() == 1) return gathered;
  for (const auto& [name, buffer] : buffers) {
    const at::Tensor mine = buffer.detach().to(control_.device()).contiguous();
    std::vector<std::int64_t> shape = mine.sizes().vec();
    shape.insert(shape.begin(), control_.size());
    at::Tensor all = at::empty(shape, mine.options());
    control_.gather_all(mine, all).wait();
    gathered.emplace_back(name, all);
  }
  return gathered;
}

bool RunKeeper::load_best(Model& model, Communicator& gradients) const {
  const bool kept = writes() && std::filesystem::exists(folder_->best_weights());
  if (broadcast_text(control_, kept ? "kept" : "").empty()) return false;
  succeed_together(control_, "taking up the best weights", [&] {
    if (kept) copy_weights(read_safetensors(folder_->best_weights()), state_of(model), folder_->best_weights());
  });
  broadcast_parameters(gradients, state_of(model));
  return true;
}

void RunKeeper::checkpoint(const TrainState& state, const Model& model, const Optimiser& optimiser,
                           const WeightAverage* average, const BatchNormStats& stats) {
  since_checkpoint_.restart();
  const NamedTensors per_rank = gather_rank_buffers(statistics_of(model, average), stats);
  if (writes()) {
    write_checkpoint(
        folder_->checkpoints(), state,
        {with_means(state_of(model), per_rank), with_means(moments_of(optimiser, average), per_rank), per_rank},
        config_.keep);
    checkpoint_seconds_ = since_checkpoint_.seconds();
    json_->write({{"event", std::string("checkpoint")},
                  {"epoch", state.step == 0 ? state.epoch : state.epoch + 1},  // of the last step made
                  {"step", state.steps},
                  {"seconds", checkpoint_seconds_}});
  }
  wait_for_writer();
}

TrainState restore(const std::optional<Checkpoint>& checkpoint, const std::string& data_digest, const Trained& trained,
                   Communicator& control, Communicator& gradients) {
  const NamedTensors model = state_of(trained.model), moments = moments_of(trained.optimiser, trained.average);
  TrainState state;
  succeed_together(control, "taking up the checkpoint", [&] {
    if (!checkpoint) return;
    if (checkpoint->state.data_digest != data_digest) {
      throw Error("the checkpoint is of another data set than the one given", checkpoint->folder.string(),
                  "give the data set of the run with --data; packed anew it is another one");
    }
    copy_weights(checkpoint->model, model, checkpoint->model_file());
    copy_weights(checkpoint->optimiser, moments, checkpoint->optimiser_file());
    require_same_trained(checkpoint->state.optimiser_steps, trained.optimiser.steps(), checkpoint->folder);
  });
  const std::string text = broadcast_text(control, checkpoint ? checkpoint->state.to_json() : std::string());
  state = TrainState::from_json(text, "rank 0's checkpoint");
  trained.optimiser.set_steps(state.optimiser_steps);
  if (trained.average != nullptr) trained.average->set_count(state.averaged);
  broadcast_parameters(gradients, model);
  broadcast_parameters(gradients, moments);
  if (state.ranks != control.size()) return state;  // the mean over the ranks, which the weights hold, serves all
  restore_rank_buffers(checkpoint ? checkpoint->per_rank.tensors : NamedTensors(),
                       statistics_of(trained.model, trained.average), control);
  return state;
}

}  // namespace lockstep
