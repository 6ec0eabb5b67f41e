// A run that keeps the features of its frozen part is the run that computes them in every step.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <map>

#include "comm/rank_threads.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/train/trainer.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::run_ranks;
using Values = std::map<std::string, std::string>;

class CachedFeatures : public ::testing::Test {
 protected:
  struct Curve {
    std::vector<double> losses;
    double best = 0;
  };

  static void SetUpTestSuite() { at::set_num_threads(1); }

  RunConfig config(const Values& more) const {
    Values all{{"data", folder_.path().string()},
               {"filters", "4,6"},
               {"dense", "8"},
               {"epochs", "3"},
               {"batch", "11"},
               {"lr", "0.02"},
               {"threads", "1"},
               {"freeze-fraction", "0.5"},
               {"allow-random-frozen", "true"},
               {"dropout-dense", "0.2"}};
    for (const auto& [name, value] : more) all[name] = value;
    return RunConfig::from(Options::from_values(Command::train, all));
  }

  Curve train(const Values& more, int ranks = 1) const {
    const RunConfig run = config(more);
    Curve curve;
    run_ranks(ranks, [&](Communicator& communicator) {
      RankCommunicators channels = split_rank_communicators(communicator);
      Log log(communicator.rank(), ranks);
      log.quiet();
      Trainer::Hooks hooks;
      hooks.on_step = [&, first = communicator.rank() == 0](std::int64_t, const StepResult& result) {
        if (first) curve.losses.push_back(result.loss);
      };
      const TrainingResult result = Trainer(run, manifest_, channels, log, hooks).run(std::nullopt);
      if (communicator.rank() == 0) curve.best = result.best_value;
    });
    return curve;
  }

  static void expect_near(const Curve& found, const Curve& expected, const std::string& what) {
    ASSERT_EQ(found.losses.size(), expected.losses.size()) << what;
    for (std::size_t i = 0; i < found.losses.size(); ++i)
      EXPECT_NEAR(found.losses[i], expected.losses[i], 1e-5) << what << ", step " << i;
    EXPECT_DOUBLE_EQ(found.best, expected.best) << what;
  }

  std::map<std::string, fs::file_time_type> files() const {
    std::map<std::string, fs::file_time_type> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "features"))
      if (entry.is_regular_file()) files[entry.path().string()] = entry.last_write_time();
    return files;
  }
  Values on_disk() const { return {{"feature-cache", "disk"}, {"feature-folder", (folder_ / "features").string()}}; }

  testing::TemporaryFolder folder_;
  Manifest manifest_ = testing::write_tiny_data_set(folder_.path());
};

TEST_F(CachedFeatures, InMemoryAndOnDiskTheRunIsTheSame) {
  for (const int ranks : {1, 2, 4}) {
    const Curve expected = train({}, ranks);
    expect_near(train({{"feature-cache", "memory"}}, ranks), expected, "memory, ranks " + std::to_string(ranks));
    expect_near(train(on_disk(), ranks), expected, "disk, ranks " + std::to_string(ranks));
  }
}

TEST_F(CachedFeatures, FixedViewsAreTheSameWithAndWithout) {
  const Values views{{"augment", "true"}, {"rotation", "10"}, {"fixed-views", "2"}};
  const Curve expected = train(views), plain = train({});
  EXPECT_NE(expected.losses, plain.losses) << "the images are augmented";
  Values cached = views;
  cached["feature-cache"] = "memory";
  expect_near(train(cached), expected, "views");
  cached["sampling"] = "balanced";
  Values balanced = views;
  balanced["sampling"] = "balanced";
  expect_near(train(cached, 2), train(balanced), "balanced");
}

TEST_F(CachedFeatures, TheCutFollowsTheUnfreezing) {
  const Values gradual{{"freeze-fraction", "0.6"}, {"unfreeze-at", "2:0.3,3:0"}};  // two stages, one, none
  for (const int ranks : {1, 2}) {
    const Curve expected = train(gradual, ranks);
    EXPECT_NE(expected.losses, train({{"freeze-fraction", "0.6"}}, ranks).losses);
    for (Values cached : {Values{{"feature-cache", "memory"}}, on_disk()}) {
      cached.insert(gradual.begin(), gradual.end());
      expect_near(train(cached, ranks), expected, cached["feature-cache"] + ", ranks " + std::to_string(ranks));
    }
  }
}

TEST_F(CachedFeatures, FilesAreUsedAgainAndAnythingElseMakesOthers) {
  train(on_disk());
  const auto first = files();
  EXPECT_EQ(first.size(), 2u) << "training and validation";
  train(on_disk(), 2);
  EXPECT_EQ(files(), first) << "nothing is computed again";
  const auto makes_others = [&](const Values& change) {
    const auto before = files();
    Values values = on_disk();
    for (const auto& [name, value] : change) values[name] = value;
    train(values);
    EXPECT_GT(files().size(), before.size()) << change.begin()->first;
  };
  makes_others({{"seed", "3"}});                  // other initial weights
  makes_others({{"freeze-fraction", "0.7"}});     // another cut
  makes_others({{"normalise", "unit"}});          // other images
  makes_others({{"activation", "mish"}});         // another network of the same weights
  makes_others({{"train-split", "train+test"}});  // other samples
  makes_others({{"augment", "true"}, {"fixed-views", "3"}});
  const auto before = files();
  Values values = on_disk();
  values["lr"] = "0.1";
  train(values);
  EXPECT_EQ(files(), before) << "the learning rate has nothing to do with it";
}

TEST_F(CachedFeatures, WhatCannotBeKeptIsSaid) {
  const auto message = [&](const Values& more) {
    try {
      train(more);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto has = [&](const Values& more, const std::string& text) {
    EXPECT_NE(message(more).find(text), std::string::npos) << message(more);
  };
  has({{"feature-cache", "memory"}, {"freeze-fraction", "0"}, {"allow-random-frozen", "false"}}, "nothing to keep");
  has({{"feature-cache", "memory"}, {"augment", "true"}}, "--fixed-views");
  has({{"feature-cache", "memory"}, {"mixup", "0.2"}}, "--mixup");
  has({{"feature-cache", "disk"}}, "--feature-folder is missing");
  has({{"feature-folder", "x"}}, "--feature-cache disk");
  has({{"fixed-views", "2"}}, "--augment");
}

}  // namespace
}  // namespace lockstep
