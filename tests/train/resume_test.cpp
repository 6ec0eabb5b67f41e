// A run that stops and goes on is the run that never stopped: losses, judgements and weights, bit for bit.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "comm/rank_threads.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/train/trainer.hpp"
#include "lockstep/weights/safetensors.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;
using testing::TemporaryFolder;
using testing::write_tiny_data_set;
using Values = std::map<std::string, std::string>;

/// What of a run must not depend on its stops: the log without seconds, by (event, step), and the weights.
struct Story {
  std::map<std::string, std::string> events;
  std::map<std::string, at::Tensor> last, best;
};

class Resumes : public ::testing::Test {
 protected:
  static constexpr std::int64_t steps_per_epoch = 5, epochs = 2;  // 53 samples in batches of 11

  Options options(const Values& more) const {
    Values all{{"data", folder_.path().string()},
               {"filters", "6"},
               {"dense", "8"},
               {"epochs", "2"},
               {"batch", "11"},
               {"lr", "0.02"},
               {"threads", "1"},
               {"log-every", "1"},
               {"dropout-conv", "0.2"},
               {"augment", "true"},
               {"schedule", "cosine"},
               {"warmup", "3steps"}};
    for (const auto& [name, value] : more) all[name] = value;
    return Options::from_values(Command::train, all);
  }

  /// Starts or goes on with the run in `run`; stops after `until` steps of this start (0: never).
  TrainingResult start(const Options& given, const std::string& run, int ranks, std::int64_t until) {
    at::set_num_threads(1);
    RunConfig config = RunConfig::from(given);
    const bool goes_on = std::filesystem::exists(run);
    if (goes_on) config.model.weights.clear();  // as the command does: a checkpoint holds what became of them
    TrainingResult result;
    run_ranks(ranks, [&](Communicator& communicator) {
      RankCommunicators channels = split_rank_communicators(communicator);
      Log log(communicator.rank(), ranks);
      log.quiet();
      std::int64_t made = 0;
      Trainer::Hooks hooks;
      hooks.on_step = [&made](std::int64_t, const StepResult&) { ++made; };
      hooks.stop_requested = [&made, until] { return until > 0 && made + 1 >= until; };
      Trainer trainer(config, manifest_, channels, log, hooks);
      const bool first = communicator.rank() == 0;
      if (goes_on) trainer.restore(first ? newest_checkpoint(RunFolder::open(run).checkpoints()).newest : std::nullopt);
      std::optional<RunFolder> folder;
      if (first) folder = goes_on ? RunFolder::open(run) : create(run, given, config, ranks);
      const TrainingResult mine = trainer.run(folder);
      if (first) result = mine;
    });
    return result;
  }

  RunFolder create(const std::string& run, const Options& given, const RunConfig& config, int ranks) const {
    return RunFolder::create(run, given, record_of(config, manifest_, plan_input(config.loader, manifest_), ranks));
  }

  static Story story_of(const std::string& run) {
    Story story;
    const RunFolder folder = RunFolder::open(run);
    std::istringstream lines(read_file(folder.log()));
    for (std::string line; std::getline(lines, line);) {
      auto json = nlohmann::ordered_json::parse(line);
      const std::string event = json["event"];
      if (event != "step" && event != "epoch" && event != "evaluation" && event != "plateau" &&
          event != "stopped_early")
        continue;
      for (const auto& key : std::vector<std::string>{"images_per_second", "wait_seconds", "wait_share", "exposed_exchange_seconds",
                                                      "train_seconds", "eval_seconds"})
        json.erase(key);
      const std::string name = event + " " + json["step"].dump();
      EXPECT_FALSE(story.events.contains(name)) << name << " twice";
      story.events[name] = json.dump();
    }
    const WeightFile last = read_safetensors(folder.last_weights()), best = read_safetensors(folder.best_weights());
    story.last = {last.tensors.begin(), last.tensors.end()};
    story.best = {best.tensors.begin(), best.tensors.end()};
    return story;
  }

  static void expect_equal(const Story& a, const Story& b, const std::string& what) {
    EXPECT_EQ(a.events, b.events) << what;
    for (const auto& [name, tensor] : a.last) EXPECT_TRUE(tensor.equal(b.last.at(name))) << what << ": last " << name;
    for (const auto& [name, tensor] : a.best) EXPECT_TRUE(tensor.equal(b.best.at(name))) << what << ": best " << name;
  }

  /// The same to rounding, as on another number of ranks.
  static void expect_near(const Story& expected, const Story& found) {
    for (const auto& [name, text] : expected.events) {
      const auto a = nlohmann::json::parse(text), b = nlohmann::json::parse(found.events.at(name));
      const char* key = a.contains("loss") ? "loss" : "train_loss";
      EXPECT_NEAR(a[key].get<double>(), b[key].get<double>(), 1e-5 * a[key].get<double>()) << name;
    }
  }

  std::string fresh_run() { return runs_ / std::to_string(++run_count_); }

  TemporaryFolder folder_, runs_;
  Manifest manifest_ = write_tiny_data_set(folder_.path());
  int run_count_ = 0;
};

struct Kind {
  const char* name;
  Values options;
  int ranks;
};

Values unfreezing(Values more) {
  more.insert({{"freeze", "all-but-head"}, {"unfreeze-at", "2:0.3"}, {"allow-random-frozen", "true"}});
  return more;
}

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
