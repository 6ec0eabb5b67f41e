#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"
#include "train/trainer_state.hpp"

namespace lockstep {

std::int64_t Trainer::State::judgements() const {
  const std::int64_t steps = data.steps(), per_epoch = data.plan().steps();
  const std::int64_t every = config.eval_every.unit == Interval::Unit::epochs  ? config.eval_every.count * per_epoch
                             : config.eval_every.unit == Interval::Unit::steps ? config.eval_every.count
                                                                               : steps;
  return steps / every + (steps % every == 0 ? 0 : 1);  // the end is always judged
}

/// Seconds that this rank's share of a judgement takes, by the forward pass of the newest batch.
double Trainer::State::judgement_seconds() {
  if (data.judged() == nullptr || batch->ids.empty()) return 0;
  const at::NoGradGuard no_grad;
  const Stopwatch forward;
  model->forward_stages(batch->images, BatchContext(), first_stage, model->stages().size())
      .sum()
      .item<float>();  // read: a GPU must have computed it
  const double ranks = channels.control->size();
  return forward.seconds() / static_cast<double>(batch->ids.size()) *
         std::ceil(static_cast<double>(data.judged()->samples()) / ranks);
}

Rehearsal Trainer::State::rehearse() {
  constexpr std::int64_t rehearsed = 5;  // the first pays for memory and kernels that later ones find ready
  std::vector<double> seconds;
  Rehearsal found;
  if (run_over()) {
    throw usage_error(fmt::format("the run has made its {} steps: there is nothing to rehearse", at.steps), "--dry-run",
                      "give a later end (--epochs), or leave --resume out");
  }
  while (!run_over() && at.steps < steps_before + rehearsed) {
    const Stopwatch one;
    found.exchanged_bytes = make_step().exchange.bytes;
    seconds.push_back(one.seconds());
  }
  if (seconds.size() > 1) seconds.erase(seconds.begin());
  std::ranges::sort(seconds);
  at::Tensor slowest = at::tensor(
      {seconds[seconds.size() / 2], judgement_seconds(), static_cast<double>(peak_memory_bytes())}, at::kDouble);
  channels.control->maximum(slowest).wait();
  const double* values = slowest.const_data_ptr<double>();
  found.steps = data.steps();
  found.steps_per_epoch = data.plan().steps();
  found.judgements = data.judged() == nullptr ? 0 : judgements();
  found.step_seconds = values[0];
  found.judgement_seconds = values[1];
  found.peak_bytes = static_cast<std::int64_t>(values[2]);
  found.parameters = trained.elements();
  found.trained_parameters = trained.elements() - trained.frozen_elements();
  return found;
}

}  // namespace lockstep
