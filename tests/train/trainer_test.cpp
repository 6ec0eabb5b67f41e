#include "lockstep/train/trainer.hpp"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <map>

#include "comm/rank_threads.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/weights/safetensors.hpp"
#include "support/tiny_data_set.hpp"
#include "train/golden_curve.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;
using testing::TemporaryFolder;
using testing::write_tiny_data_set;

class Trainers : public ::testing::Test {
 protected:
  Options options(std::map<std::string, std::string> more) const {
    std::map<std::string, std::string> all{{"data", folder_.path().string()},
                                           {"filters", "8"},
                                           {"dense", "16"},
                                           {"epochs", "4"},
                                           {"batch", "16"},
                                           {"lr", "0.01"},
                                           {"threads", "1"},
                                           {"log-every", "2"}};
    for (const auto& [name, value] : more) all[name] = value;
    return Options::from_values(Command::train, all);
  }

  TrainingResult train(const Options& given, int ranks = 1, Trainer::Hooks hooks = {}, const std::string& run = {}) {
    at::set_num_threads(1);
    const RunConfig config = RunConfig::from(given);
    TrainingResult result;
    run_ranks(ranks, [&](Communicator& communicator) {
      RankCommunicators channels = split_rank_communicators(communicator);
      Log log(communicator.rank(), ranks);
      log.quiet();
      Trainer trainer(config, manifest_, channels, log, hooks);
      std::optional<RunFolder> folder;
      if (!run.empty() && communicator.rank() == 0) {
        folder =
            RunFolder::create(run, given, record_of(config, manifest_, plan_input(config.loader, manifest_), ranks));
      }
      const TrainingResult mine = trainer.run(folder);
      if (communicator.rank() == 0) result = mine;
    });
    return result;
  }

  std::string fault(const std::map<std::string, std::string>& more, int ranks = 1) {
    try {
      train(options(more), ranks);
    } catch (const Error& error) {
      EXPECT_FALSE(error.hint().empty()) << error.what();
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_, runs_;
  Manifest manifest_ = write_tiny_data_set(folder_.path());
};

TEST_F(Trainers, LearnTheTinySetAndKeepBestAndLast) {
  const std::string run = runs_ / "a";
  const TrainingResult result = train(options({{"epochs", "12"}}), 2, {}, run);
  EXPECT_EQ(result.epochs, 12);
  EXPECT_EQ(result.steps, 12 * 4);
  EXPECT_GT(result.best_value, 0.9);
  EXPECT_EQ(result.metric, "accuracy");
  const RunFolder folder = RunFolder::open(run);
  const WeightFile best = read_safetensors(folder.best_weights()), last = read_safetensors(folder.last_weights());
  EXPECT_EQ(best.metadata.at("epoch"), std::to_string(result.best_epoch));
  EXPECT_EQ(last.metadata.at("epoch"), "12");
  const std::string log = read_file(folder.log());
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 12 * 2 + 12 + 12 + 3)
      << "every second step, every epoch, every checkpoint; how it began, which images are shown, how it ended";
}

TEST_F(Trainers, EveryBatchNormKindTrainsOnRanksThatGetNoSample) {
  for (const char* stats : {"global", "rank", "group:5"}) {
    EXPECT_NO_THROW(train(options({{"batch", "6"}, {"epochs", "1"}, {"batch-norm-stats", stats}}), 4)) << stats;
  }
}

TEST_F(Trainers, StopAfterTheStepInWhichOneRankIsAsked) {
  Trainer::Hooks hooks;
  std::atomic<int> asked{0};
  hooks.stop_requested = [&asked] { return ++asked == 7; };  // one rank, once
  const TrainingResult result = train(options({}), 3, hooks, runs_ / "stopped");
  EXPECT_TRUE(result.stopped);
  EXPECT_LE(result.steps, 3);
  EXPECT_NE(read_file(RunFolder::open(runs_ / "stopped").log()).find("\"stopped\""), std::string::npos);
  EXPECT_NO_THROW(read_safetensors(RunFolder::open(runs_ / "stopped").last_weights()));
}

TEST_F(Trainers, WithoutAnEvaluationSplitTheTrainingLossDecides) {
  const TrainingResult result = train(options({{"eval-split", "none"}}));
  EXPECT_EQ(result.metric, "training loss");
  EXPECT_GT(result.best_value, 0);
  EXPECT_GT(result.best_epoch, 0);
}

TEST_F(Trainers, EveryMetricDecidesUnderItsName) {
  for (const std::string metric : {"accuracy", "top5-accuracy", "balanced-accuracy", "macro-recall", "macro-f1",
                                   "kappa", "mcc", "auc", "average-precision", "loss"}) {
    const TrainingResult result = train(options({{"epochs", "2"}, {"metric", metric}}), 2);
    EXPECT_EQ(result.metric, metric);
    const bool may_be_negative = metric == "kappa" || metric == "mcc";  // worse than by chance
    EXPECT_GT(result.best_value, may_be_negative ? -1 : 0) << metric;
    EXPECT_GT(result.best_epoch, 0) << metric;
  }
}

TEST_F(Trainers, ASearchForALearningRateLeavesNothingBehind) {
  at::set_num_threads(1);
  const Options given = options({{"optimiser", "adam"}, {"dropout-conv", "0.2"}});
  const RunConfig config = RunConfig::from(given);
  std::vector<std::string> said(2);
  for (const bool searches : {false, true}) {
    run_ranks(2, [&](Communicator& communicator) {
      RankCommunicators channels = split_rank_communicators(communicator);
      Log log(communicator.rank(), 2);
      log.quiet();
      std::string losses;
      Trainer::Hooks hooks;
      hooks.on_step = [&losses](std::int64_t, const StepResult& made) { losses += std::to_string(made.loss) + " "; };
      Trainer trainer(config, manifest_, channels, log, hooks);
      if (searches) {
        const LrSearch search = trainer.find_lr();
        EXPECT_EQ(std::ssize(search.points()), 16) << "the steps of the run";
        EXPECT_DOUBLE_EQ(search.points().front().lr, LrSearch::first);
      }
      trainer.run(std::nullopt);
      if (communicator.rank() == 0) said[searches ? 1 : 0] = losses;
    });
  }
  EXPECT_FALSE(said[0].empty());
  EXPECT_EQ(said[0], said[1]);
}

TEST_F(Trainers, ARunThatStoppedEarlyHasItsBestWeightsInPlace) {
  at::set_num_threads(1);
  const std::string run = runs_ / "early";
  const Options given = options({{"epochs", "30"}, {"early-stopping", "3"}, {"lr", "0.05"}});
  const RunConfig config = RunConfig::from(given);
  run_ranks(3, [&](Communicator& communicator) {
    RankCommunicators channels = split_rank_communicators(communicator);
    Log log(communicator.rank(), 3);
    log.quiet();
    Trainer trainer(config, manifest_, channels, log, {});
    std::optional<RunFolder> folder;
    if (communicator.rank() == 0)
      folder = RunFolder::create(run, given, record_of(config, manifest_, plan_input(config.loader, manifest_), 3));
    const TrainingResult result = trainer.run(folder);
    EXPECT_TRUE(result.stopped_early);
    EXPECT_EQ(result.epochs, result.best_epoch + 3);
    const WeightFile best = read_safetensors(RunFolder::open(run).best_weights());
    const std::map<std::string, at::Tensor> kept(best.tensors.begin(), best.tensors.end());
    for (const auto& [name, tensor] : state_of(trainer.model())) EXPECT_TRUE(tensor.equal(kept.at(name))) << name;
  });
}

TEST_F(Trainers, RefuseWhatCannotWork) {
  EXPECT_NE(fault({{"batch", "2"}}, 3).find("at most 2 ranks"), std::string::npos);
  EXPECT_NE(fault({{"filters", "4,4,4,4"}}).find("conv4"), std::string::npos);
  EXPECT_NE(fault({{"eval-resize", "4"}}).find("--eval-resize"), std::string::npos);
  EXPECT_NE(fault({{"train-split", "tain"}}).find("tain"), std::string::npos);
  EXPECT_NE(fault({{"lr", "1000"}, {"optimiser", "sgd"}, {"batch-norm", "false"}}).find("lower the learning rate"),
            std::string::npos);
}

}  // namespace
}  // namespace lockstep
