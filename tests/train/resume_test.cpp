// A run that stops and goes on is the run that never stopped: losses, judgements and weights, bit for bit.
#include "lockstep/core/error.hpp"
#include "train/resumed_runs.hpp"

namespace lockstep {
namespace {

using testing::Story;
using testing::unfreezing;
using testing::Values;
using testing::write_tiny_data_set;
class Resumes : public testing::ResumedRuns {};

struct Kind {
  const char* name;
  Values options;
  int ranks;
};

TEST_F(Resumes, EqualTheRunThatNeverStoppedWhereverItStops) {
  const std::string other = fresh_run();
  start(options({{"seed", "9"}, {"max-steps", "4"}}), other, 1, 0);
  const std::vector<Kind> kinds{
      {"adam, global statistics", {{"optimiser", "adam"}}, 1},
      {"adam, global statistics, judged within epochs", {{"optimiser", "adamw"}, {"eval-every", "2steps"}}, 2},
      {"sgd, statistics of each rank",
       {{"optimiser", "sgd"}, {"nesterov", "true"}, {"batch-norm-stats", "rank"}, {"checkpoint-every", "3steps"}},
       3},
      {"half frozen", {{"freeze-fraction", "0.5"}, {"allow-random-frozen", "true"}}, 2},
      {"features kept of a file's weights",
       {{"weights", RunFolder::open(other).last_weights().string()},
        {"freeze-fraction", "0.5"},
        {"feature-cache", "memory"},
        {"augment", "false"},
        {"dropout-conv", "0"}},
       2},
      {"lars, exponential mean, clipped",
       {{"optimiser", "lars"},
        {"trust-coefficient", "0.1"},
        {"ema", "0.9"},
        {"clip-norm", "0.5"},
        {"weight-decay", "0.01"}},
       2},
      {"lamb, exponential mean, statistics of each rank, class weights",
       {{"optimiser", "lamb"}, {"ema", "0.8"}, {"batch-norm-stats", "rank"}, {"class-weights", "balanced"}},
       3},
      {"plateau, judged within epochs, l1",
       {{"schedule", "plateau"},
        {"plateau-patience", "0"},
        {"min-change", "0.2"},
        {"eval-every", "2steps"},
        {"l1", "0.001"}},
       2},
      {"plain mean of the epochs' ends, one cycle",
       {{"swa-from", "1"}, {"schedule", "one-cycle"}, {"warmup", "never"}, {"batch-norm-stats", "rank"}},
       2},
      {"unfrozen in the second epoch, exponential mean", unfreezing({{"optimiser", "adam"}, {"ema", "0.7"}}), 2},
      {"plain mean, features kept",
       {{"swa-from", "1"},
        {"freeze-fraction", "0.5"},
        {"allow-random-frozen", "true"},
        {"feature-cache", "memory"},
        {"augment", "false"},
        {"dropout-conv", "0"}},
       2},
      {"rates of their own", {{"head-lr", "0.05"}, {"layer-decay", "0.7"}, {"optimiser", "adamw"}}, 2},
      {"unfrozen in the second epoch, alone", unfreezing({{"optimiser", "adam"}}), 1},
      {"unfrozen in the second epoch", unfreezing({{"optimiser", "adamw"}, {"layer-decay", "0.8"}}), 2},
      {"unfrozen in the second epoch, momentum", unfreezing({{"optimiser", "sgd"}, {"batch-norm-stats", "rank"}}), 4},
      {"unfrozen in the second epoch, features kept",
       unfreezing({{"feature-cache", "memory"}, {"augment", "false"}, {"dropout-conv", "0"}}), 2},
      {"groups, auc, no dropout", {{"batch-norm-stats", "group:4"}, {"metric", "auc"}, {"dropout-conv", "0"}}, 2}};
  for (const Kind& kind : kinds) {
    const Options given = options(kind.options);
    const std::string whole = fresh_run();
    const TrainingResult uninterrupted = start(given, whole, kind.ranks, 0);
    const Story expected = story_of(whole);
    ASSERT_EQ(uninterrupted.steps, epochs * steps_per_epoch);
    for (std::int64_t stop = 1; stop < uninterrupted.steps; ++stop) {
      const std::string run = fresh_run();
      const TrainingResult first = start(given, run, kind.ranks, stop);
      ASSERT_TRUE(first.stopped);
      ASSERT_EQ(first.steps, stop);
      const TrainingResult second = start(given, run, kind.ranks, 0);
      EXPECT_FALSE(second.stopped);
      EXPECT_EQ(second.best_value, uninterrupted.best_value);
      EXPECT_EQ(second.best_epoch, uninterrupted.best_epoch);
      expect_equal(expected, story_of(run), fmt::format("{}, stopped after {} steps", kind.name, stop));
    }
  }
}

TEST_F(Resumes, SurviveAStopAfterEveryStep) {
  const Options given = options({});
  const std::string whole = fresh_run(), run = fresh_run();
  start(given, whole, 2, 0);
  std::int64_t starts = 1;
  for (; start(given, run, 2, 1).stopped; ++starts) ASSERT_LT(starts, 20);
  EXPECT_EQ(starts, epochs * steps_per_epoch) << "a step each";
  expect_equal(story_of(whole), story_of(run), "one step a start");
}

TEST_F(Resumes, GoOnOnAnotherNumberOfRanks) {
  const Options given = options({{"optimiser", "sgd"}, {"nesterov", "true"}});
  const std::string whole = fresh_run();
  start(given, whole, 1, 0);
  const Story expected = story_of(whole);
  for (const auto& [before, after] : std::vector<std::pair<int, int>>{{1, 3}, {3, 1}, {2, 4}}) {
    const std::string run = fresh_run();
    start(given, run, before, 4);
    start(given, run, after, 0);
    expect_near(expected, story_of(run));
  }
}

/// What early stopping has waited survives a stop; asked for in a resume, it begins with the best score there was.
TEST_F(Resumes, RememberHowLongTheScoreHasNotImproved) {
  const Options given = options({{"eval-every", "1steps"}, {"early-stopping", "6"}, {"min-change", "5"}});
  const std::string whole = fresh_run();
  const TrainingResult uninterrupted = start(given, whole, 2, 0);
  EXPECT_TRUE(uninterrupted.stopped_early);
  ASSERT_EQ(uninterrupted.steps, 7);
  for (std::int64_t stop = 1; stop < 7; ++stop) {
    const std::string run = fresh_run();
    ASSERT_TRUE(start(given, run, 2, stop).stopped);
    EXPECT_TRUE(start(given, run, 2, 0).stopped_early);
    expect_equal(story_of(whole), story_of(run), fmt::format("stopped after {} steps", stop));
    EXPECT_TRUE(start(given, run, 2, 0).stopped_early) << "and is over";
  }
  const std::string late = fresh_run();
  start(options({{"eval-every", "1steps"}}), late, 2, 3);
  const TrainingResult ended =
      start(options({{"eval-every", "1steps"}, {"early-stopping", "5"}, {"min-change", "5"}}), late, 2, 0);
  EXPECT_EQ(ended.steps, 2 + 5) << "nothing beat by 5 the best score of the judgements before the stop";
}

/// The mean's statistics, each rank's own, serve other ranks as their mean.
TEST_F(Resumes, MeansOfWeightsGoOnOnAnotherNumberOfRanks) {
  const Options given =
      options({{"optimiser", "sgd"}, {"ema", "0.8"}, {"batch-norm-stats", "group:4"}, {"dropout-conv", "0"}});
  const std::string whole = fresh_run(), run = fresh_run();
  start(given, whole, 1, 0);
  start(given, run, 3, 5);
  start(given, run, 2, 0);
  const auto epoch_of = [&](const std::string& folder) {
    return nlohmann::json::parse(story_of(folder).events.at("epoch 10"));
  };
  const double a = epoch_of(whole)["eval_loss"], b = epoch_of(run)["eval_loss"];
  EXPECT_NEAR(a, b, 1e-4 * a);
}

TEST_F(Resumes, CarryOnThroughEveryUnfreezing) {
  const Options given = options(unfreezing({{"epochs", "4"}, {"unfreeze-at", "2:0.7,3:0.4,4:0"}}));
  const std::string whole = fresh_run(), run = fresh_run();
  start(given, whole, 2, 0);
  std::int64_t starts = 1;
  for (; start(given, run, 2, 3).stopped; ++starts) ASSERT_LT(starts, 20);
  EXPECT_EQ(starts, 7) << "three steps each of twenty";
  expect_equal(story_of(whole), story_of(run), "three steps a start");
}

TEST_F(Resumes, CarryOnThroughUnfreezingOnOtherNumbersOfRanks) {
  const Options given =
      options(unfreezing({{"epochs", "4"}, {"unfreeze-at", "2:0.7,3:0.4,4:0"}, {"optimiser", "sgd"}}));
  const std::string whole = fresh_run(), run = fresh_run();
  start(given, whole, 1, 0);
  for (const int ranks : {2, 4, 1, 3}) EXPECT_TRUE(start(given, run, ranks, 4).stopped);
  EXPECT_FALSE(start(given, run, 2, 0).stopped);
  expect_near(story_of(whole), story_of(run));
}

/// Adam's count of steps is each parameter's own, and a checkpoint says it.
TEST_F(Resumes, KeepTheStepsOfEachParameter) {
  const Options given = options(unfreezing({{"unfreeze-at", "2:0"}}));
  const std::string run = fresh_run();
  start(given, run, 2, steps_per_epoch);  // after the last step of the first epoch
  EXPECT_EQ(newest_checkpoint(RunFolder::open(run).checkpoints()).newest->state.optimiser_steps,
            (std::map<std::string, std::int64_t>{{"output.weight", 5}, {"output.bias", 5}}));
  start(given, run, 2, 2);
  const auto steps = newest_checkpoint(RunFolder::open(run).checkpoints()).newest->state.optimiser_steps;
  EXPECT_EQ(steps.at("output.bias"), steps_per_epoch + 2);
  EXPECT_EQ(steps.at("conv1.weight"), 2) << "trained since the second epoch";
  EXPECT_EQ(steps.size(), 8u) << "conv1, its norm, dense1, its norm, output";
}

TEST_F(Resumes, ARunThatHasEndedHasNothingLeftToDo) {
  const Options given = options({{"max-steps", "7"}});
  const std::string run = fresh_run();
  const TrainingResult ended = start(given, run, 2, 0);
  EXPECT_EQ(ended.steps, 7) << "within the second epoch";
  EXPECT_EQ(ended.epochs, 1);
  const Story before = story_of(run);
  EXPECT_TRUE(before.events.contains("epoch 7")) << "judged and said at its end";
  const TrainingResult again = start(given, run, 2, 0);
  EXPECT_EQ(again.steps, 7);
  EXPECT_EQ(again.best_value, ended.best_value);
  expect_equal(before, story_of(run), "resumed after its end");
}

TEST_F(Resumes, ARunMayBeMadeLonger) {
  const Values constant{{"schedule", "constant"}, {"warmup", "never"}};
  Values longer = constant;
  longer["epochs"] = "3";
  const std::string whole = fresh_run(), run = fresh_run();
  start(options(longer), whole, 2, 0);
  start(options(constant), run, 2, 0);
  start(options(longer), run, 2, 0);
  expect_equal(story_of(whole), story_of(run), "two epochs, then one more");
}

TEST_F(Resumes, AnEndThatHasPassedIsRefusedAndOneJustReachedJudgesNothing) {
  const Values unjudged{{"schedule", "constant"}, {"warmup", "never"}, {"eval-split", "none"}, {"eval-every", "3"}};
  Values given = unjudged;
  given["epochs"] = "3";
  const std::string run = fresh_run();
  start(options(given), run, 1, 2 * steps_per_epoch + 1);  // judged never, the second epoch closed
  std::filesystem::remove_all(RunFolder::open(run).checkpoints() / "step-00000011");
  given["epochs"] = "2";
  const TrainingResult reached = start(options(given), run, 1, 0);
  EXPECT_EQ(reached.best_epoch, 0) << "there was no step to judge";
  EXPECT_FALSE(std::filesystem::exists(RunFolder::open(run).best_weights()));
  given["epochs"] = "1";
  EXPECT_THROW(start(options(given), run, 1, 0), Error);
}

TEST_F(Resumes, RefuseACheckpointOfAnotherModelOrDataSet) {
  const std::string run = fresh_run();
  start(options({}), run, 2, 3);
  const auto fault = [&](const Values& more) {
    try {
      start(options(more), run, 2, 0);
    } catch (const Error& error) {
      EXPECT_FALSE(error.hint().empty()) << error.what();
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const std::string model = fault({{"filters", "7"}});
  EXPECT_NE(model.find("conv1.weight is [6, 3, 3, 3], the model's [7, 3, 3, 3]"), std::string::npos) << model;
  const std::string optimiser = fault({{"optimiser", "sgd"}});
  EXPECT_NE(optimiser.find("momentum"), std::string::npos) << optimiser;
  manifest_.classes[0] += " renamed";
  EXPECT_NE(fault({}).find("another data set"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
