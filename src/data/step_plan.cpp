#include "lockstep/data/step_plan.hpp"

#include <algorithm>

namespace lockstep {

StepPlan::StepPlan(std::int64_t samples, std::int64_t global_batch, std::int64_t granularity)
    : samples_(samples), global_batch_(std::min(global_batch, samples)), granularity_(granularity) {
  steps_ = (samples_ + global_batch_ - 1) / global_batch_;
  if (steps_ > 1 && global_batch_ > 1 && samples_ % global_batch_ == 1) --steps_;
}

Range StepPlan::step(std::int64_t step) const {
  return {step * global_batch_, step + 1 == steps_ ? samples_ : (step + 1) * global_batch_};
}

std::vector<std::int64_t> StepPlan::groups(std::int64_t step) const { return rank_groups(step, 0, 1); }

Range StepPlan::group_range(std::int64_t step, int rank, int ranks) const {
  const std::int64_t groups = std::max<std::int64_t>(1, this->step(step).size() / granularity_);
  return {groups * rank / ranks, groups * (rank + 1) / ranks};
}

Range StepPlan::rank_part(std::int64_t step, int rank, int ranks) const {
  const Range whole = this->step(step);
  const std::int64_t groups = group_range(step, 0, 1).end;
  const Range mine = group_range(step, rank, ranks);
  const auto place = [&](std::int64_t group) {
    return group == groups ? whole.end : whole.begin + group * granularity_;
  };
  return {place(mine.begin), place(mine.end)};
}

std::vector<std::int64_t> StepPlan::rank_groups(std::int64_t step, int rank, int ranks) const {
  const Range mine = group_range(step, rank, ranks);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(mine.size()), granularity_);
  if (!sizes.empty()) sizes.back() = rank_part(step, rank, ranks).size() - granularity_ * (mine.size() - 1);
  return sizes;
}

}  // namespace lockstep
