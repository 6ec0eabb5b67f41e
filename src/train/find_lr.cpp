#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "train/trainer_state.hpp"

namespace lockstep {
namespace {

/// Copies of tensors, put back in the end.
class Kept {
 public:
  explicit Kept(NamedTensors tensors) : tensors_(std::move(tensors)) {
    for (const auto& [name, tensor] : tensors_) values_.push_back(tensor.detach().clone(at::MemoryFormat::Preserve));
  }
  void put_back() {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < values_.size(); ++i) tensors_[i].second.copy_(values_[i]);
  }

 private:
  NamedTensors tensors_;
  std::vector<at::Tensor> values_;
};

}  // namespace

LrSearch Trainer::State::find_lr() {
  const std::int64_t steps = std::min(LrSearch::usual_steps, data.steps() - at.steps);
  if (steps < 2) {
    throw usage_error(fmt::format("{} steps are left of the run, too few to search in", steps), "--find-lr",
                      "train for more --epochs, or in smaller batches (--batch)");
  }
  Kept weights(state_of(*model)), moments(step->optimiser().state());
  const std::map<std::string, std::int64_t> made = step->optimiser().steps();
  LrSearch search(steps);
  for (std::int64_t i = 0; !search.over(); ++i) {
    double waited = 0;
    StepPlace where = place_of(at.steps + i, (at.step + i) % data.plan().steps());
    where.stop_here = hooks.stop_requested();
    const StepResult made_step = take_step(where, search.lr(), waited);
    if (made_step.stop)
      throw Error("stopped by a signal before the search was over", "--find-lr", "begin it again; nothing was changed");
    search.add(made_step.loss);
    log.progress(fmt::format("step {} of {}", i + 1, steps));
  }
  weights.put_back();
  moments.put_back();
  step->optimiser().set_steps(made);
  batch.reset();
  source.reset();  // it has gone on
  return search;
}

}  // namespace lockstep
