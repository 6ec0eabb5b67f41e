#include "lockstep/optim/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

std::int64_t steps_of(const Interval& warmup, std::int64_t steps_per_epoch) {
  return warmup.unit == Interval::Unit::epochs ? warmup.count * steps_per_epoch : warmup.count;
}

/// Along half a cosine from `from` (share 0) to `to` (share 1).
double between(double to, double from, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

}  // namespace

Schedule::Schedule(const ScheduleConfig& config, double lr, std::int64_t steps_per_epoch, std::int64_t steps)
    : config_(config),
      lr_(lr),
      steps_per_epoch_(steps_per_epoch),
      steps_(steps),
      warmup_steps_(steps_of(config.warmup, steps_per_epoch)) {
  if (warmup_steps_ >= steps_ && warmup_steps_ > 0) {
    throw usage_error(fmt::format("a warm-up of {} steps in a run of {}", warmup_steps_, steps_), "--warmup",
                      "warm up for fewer steps, or train for more --epochs");
  }
}

double Schedule::lr(std::int64_t step, std::int64_t plateaus) const {
  if (step < warmup_steps_) return lr_ * static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  return decayed(step, plateaus);
}

double Schedule::decayed(std::int64_t step, std::int64_t plateaus) const {
  const auto done = static_cast<double>(step - warmup_steps_), all = static_cast<double>(steps_ - warmup_steps_);
  switch (config_.kind) {
    case ScheduleKind::constant:
      return lr_;
    case ScheduleKind::step: {
      const std::int64_t epoch = step / steps_per_epoch_;
      const auto& epochs = config_.step_epochs;
      const std::int64_t passed = epochs.size() == 1
                                      ? epoch / epochs.front()
                                      : std::ranges::count_if(epochs, [&](std::int64_t at) { return at <= epoch; });
      return lr_ * std::pow(config_.gamma, static_cast<double>(passed));
    }
    case ScheduleKind::cosine:
      return between(config_.min_lr, lr_, done / all);
    case ScheduleKind::polynomial:
      return config_.min_lr + (lr_ - config_.min_lr) * std::pow(1 - done / all, config_.power);
    case ScheduleKind::one_cycle:
      return one_cycle(step);
    case ScheduleKind::plateau:
      return std::max(lr_ * std::pow(config_.gamma, static_cast<double>(plateaus)), std::min(config_.min_lr, lr_));
  }
  return lr_;
}

double Schedule::one_cycle(std::int64_t step) const {
  constexpr double first_divisor = 25, last_divisor = 1e4;  // torch's
  const double beginning = lr_ / first_divisor, end = beginning / last_divisor;
  const double summit = std::max(0.0, config_.rise * static_cast<double>(steps_) - 1),
               last = static_cast<double>(steps_ - 1);
  const auto at = static_cast<double>(step);
  if (summit > 0 && at <= summit) return between(lr_, beginning, at / summit);
  return last > summit ? between(end, lr_, (at - summit) / (last - summit)) : lr_;
}

}  // namespace lockstep
