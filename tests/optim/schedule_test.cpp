#include "lockstep/optim/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t steps_per_epoch = 10, steps = 100;

Schedule schedule(ScheduleConfig config, double lr = 0.5) { return Schedule(config, lr, steps_per_epoch, steps); }

TEST(Schedules, ConstantStaysAndWarmUpIsLinear) {
  ScheduleConfig config;
  EXPECT_EQ(schedule(config).lr(0), 0.5);
  EXPECT_EQ(schedule(config).lr(99), 0.5);
  config.warmup = {Interval::Unit::steps, 5};
  for (std::int64_t s = 0; s < 5; ++s) EXPECT_DOUBLE_EQ(schedule(config).lr(s), 0.1 * static_cast<double>(s + 1));
  EXPECT_EQ(schedule(config).lr(5), 0.5);
  config.warmup = {Interval::Unit::epochs, 2};
  EXPECT_DOUBLE_EQ(schedule(config).lr(9), 0.25);
  EXPECT_EQ(schedule(config).lr(20), 0.5);
}

TEST(Schedules, StepsFallEverySoManyEpochsOrAtTheGivenOnes) {
  ScheduleConfig config{ScheduleKind::step, {}, {3}, 0.1, 0};
  EXPECT_DOUBLE_EQ(schedule(config).lr(29), 0.5);
  EXPECT_DOUBLE_EQ(schedule(config).lr(30), 0.05);
  EXPECT_DOUBLE_EQ(schedule(config).lr(99), 0.5e-3);
  config.step_epochs = {2, 7};
  EXPECT_DOUBLE_EQ(schedule(config).lr(19), 0.5);
  EXPECT_DOUBLE_EQ(schedule(config).lr(20), 0.05);
  EXPECT_DOUBLE_EQ(schedule(config).lr(69), 0.05);
  EXPECT_DOUBLE_EQ(schedule(config).lr(70), 0.005);
}

TEST(Schedules, CosineFallsFromTheWarmUpToItsEnd) {
  ScheduleConfig config{ScheduleKind::cosine, {Interval::Unit::steps, 20}, {}, 0, 0.1};
  EXPECT_DOUBLE_EQ(schedule(config).lr(20), 0.5);
  EXPECT_DOUBLE_EQ(schedule(config).lr(60), 0.3) << "half way";
  EXPECT_NEAR(schedule(config).lr(99), 0.1, 1e-3);
  EXPECT_GT(schedule(config).lr(99), 0.1);
  for (std::int64_t s = 21; s < steps; ++s) EXPECT_LT(schedule(config).lr(s), schedule(config).lr(s - 1));
}

TEST(Schedules, PolynomialFallsByItsPower) {
  ScheduleConfig config;
  config.kind = ScheduleKind::polynomial;
  config.min_lr = 0.1;
  EXPECT_DOUBLE_EQ(schedule(config).lr(50), 0.3) << "a straight line";
  config.power = 2;
  EXPECT_DOUBLE_EQ(schedule(config).lr(50), 0.2);
  config.warmup = {Interval::Unit::steps, 50};
  EXPECT_DOUBLE_EQ(schedule(config).lr(50), 0.5);
  EXPECT_DOUBLE_EQ(schedule(config).lr(75), 0.2);
}

TEST(Schedules, OneCycleRisesToItsSummitAndFallsToNearlyNothing) {
  ScheduleConfig config;
  config.kind = ScheduleKind::one_cycle;
  for (const double rise : {0.0, 0.01, 0.3, 1.0}) {
    config.rise = rise;
    const Schedule cycle = schedule(config);
    double most = 0;
    for (std::int64_t s = 0; s < steps; ++s) {
      ASSERT_TRUE(cycle.lr(s) > 0 && cycle.lr(s) <= 0.5 * (1 + 1e-12)) << rise << ", step " << s;
      most = std::max(most, cycle.lr(s));
    }
    EXPECT_DOUBLE_EQ(most, 0.5) << rise;
  }
  config.rise = 0.3;
  EXPECT_NEAR(schedule(config).lr(0), 0.02, 1e-12);
  EXPECT_DOUBLE_EQ(schedule(config).lr(29), 0.5);
  EXPECT_NEAR(schedule(config).lr(99), 0.02 / 1e4, 1e-12);
}

TEST(Schedules, APlateauLowersTheRateToItsFloor) {
  ScheduleConfig config;
  config.kind = ScheduleKind::plateau;
  config.gamma = 0.1;
  config.min_lr = 0.02;
  const Schedule falling = schedule(config);
  EXPECT_EQ(falling.lr(50), 0.5);
  EXPECT_DOUBLE_EQ(falling.lr(50, 1), 0.05);
  EXPECT_DOUBLE_EQ(falling.lr(50, 2), 0.02);
  EXPECT_DOUBLE_EQ(falling.lr(50, 9), 0.02);
}

TEST(Schedules, AWarmUpMustEndBeforeTheRun) {
  ScheduleConfig config;
  config.warmup = {Interval::Unit::epochs, 10};
  EXPECT_THROW(schedule(config), Error);
  config.warmup = {Interval::Unit::steps, 99};
  EXPECT_NO_THROW(schedule(config));
}

}  // namespace
}  // namespace lockstep
