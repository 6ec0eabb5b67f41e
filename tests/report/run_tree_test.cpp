#include "lockstep/report/run_tree.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

/// A folder in which runs are made by hand, each with best weights of one byte.
class Runs : public ::testing::Test {
 protected:
  std::filesystem::path make(const std::string& name, const std::string& log, std::optional<ParentRecord> parent = {},
                             std::map<std::string, std::string> more = {}) {
    const std::filesystem::path run = folder_ / name;
    std::map<std::string, std::string> values{{"data", "/data"}, {"run", run.string()}, {"epochs", "3"}};
    for (const auto& [option, value] : more) values[option] = value;
    RunRecord record;
    record.data_digest = "digest";
    record.parent = std::move(parent);
    RunFolder::create(run, Options::from_values(Command::train, values), record);
    write_file_atomically(run / "log.jsonl", log);
    write_file_atomically(RunFolder::at(run).best_weights(), name.substr(0, 1));
    return run;
  }

  ParentRecord child_of(const std::string& name) const {
    const std::filesystem::path run = folder_ / name;
    return {run.string(), "best", file_digest(RunFolder::at(run).best_weights()), {{"lr", "0.001", "0.0003"}}};
  }

  static std::string judged(int epoch, double accuracy, int samples = 400, bool best = true) {
    return nlohmann::json{{"event", "epoch"},          {"epoch", epoch},          {"step", 10 * epoch},
                          {"eval_accuracy", accuracy}, {"eval_samples", samples}, {"best", best}}
               .dump() +
           "\n";
  }
  static std::string started() { return "{\"event\":\"started\",\"step\":0,\"metric\":\"accuracy\"}\n"; }
  static std::string finished() { return "{\"event\":\"finished\",\"step\":30,\"reason\":\"all epochs made\"}\n"; }

  std::vector<RunOverview> read() const { return read_runs(folder_.path()); }
  TemporaryFolder folder_;
};

TEST_F(Runs, StateIsWhatTheLogSaysLast) {
  make("a", started() + judged(1, 0.5) + judged(2, 0.6) + finished());
  make("b", started() + judged(1, 0.5) + "{\"event\":\"stopped\",\"step\":12,\"reason\":\"a signal\"}\n");
  make("c", started() + judged(1, 0.5) + "{\"event\":\"stopped\",\"step\":12,\"reason\":\"a signal\"}\n" +
                "{\"event\":\"resumed\",\"step\":12}\n");
  make("d", started() + "{\"event\":\"failed\",\"step\":12,\"reason\":\"the loss became nan\"}\n");
  make("e", judged(1, 0.1) + judged(2, 0.2) + judged(3, 0.3));
  make("f", "");
  const std::vector<RunOverview> runs = read();
  ASSERT_EQ(runs.size(), 6u);
  const std::vector<RunState> expected{RunState::finished, RunState::stopped,  RunState::unfinished,
                                       RunState::failed,   RunState::finished, RunState::unfinished};
  for (std::size_t i = 0; i < runs.size(); ++i) EXPECT_EQ(runs[i].state, expected[i]) << runs[i].name;
  EXPECT_EQ(runs[0].best, 0.6);
  EXPECT_EQ(runs[0].best_epoch, 2);
  EXPECT_EQ(runs[0].epochs, 2);
  EXPECT_EQ(runs[3].reason, "the loss became nan");
  EXPECT_EQ(runs[5].best, std::nullopt);
  EXPECT_NE(runs_table(runs).find("not judged"), std::string::npos);
}

TEST_F(Runs, OnlyTheBestJudgementCounts) {
  make("a", started() + judged(1, 0.7) + judged(2, 0.6, 400, false) + finished());
  EXPECT_EQ(read()[0].best, 0.7);
  EXPECT_EQ(read()[0].best_epoch, 1);
}

TEST_F(Runs, TheNewestWordOnTheBestWeightsCounts) {
  const std::string told = "{\"event\":\"finished\",\"step\":30,\"reason\":\"\",\"best_value\":0.9,\"best_epoch\":3}\n";
  const std::string resumed =
      "{\"event\":\"resumed\",\"step\":20,\"metric\":\"accuracy\",\"best_value\":0.8,\"best_epoch\":3}\n";
  make("a", started() + judged(3, 0.9) + told + "{\"event\":\"resumed\",\"step\":30}\n" + judged(4, 0.95));
  make("b", started() + judged(2, 0.6) + judged(3, 0.8) + resumed + judged(3, 0.79, 400, false));
  const std::vector<RunOverview> runs = read();
  EXPECT_EQ(runs[0].best, 0.95) << "the run has found better weights since it finished";
  EXPECT_EQ(runs[0].best_epoch, 4);
  EXPECT_EQ(runs[1].best, 0.8) << "kept from a step that a resume made once more";
  EXPECT_EQ(runs[1].judged_samples, 400);
}

TEST_F(Runs, CoefficientsAreNoShares) {
  make("a",
       "{\"event\":\"started\",\"step\":0,\"metric\":\"kappa\"}\n"
       "{\"event\":\"epoch\",\"epoch\":1,\"step\":10,\"eval_kappa\":0.25,\"eval_samples\":9,\"best\":true}\n");
  EXPECT_NE(runs_table(read()).find("kappa 0.2500"), std::string::npos) << runs_table(read());
}

TEST_F(Runs, WhatCannotBeReadIsListedAndLinksAreNoRuns) {
  make("a", started() + judged(1, 0.5) + finished());
  make("weights/b", started() + finished());
  make("a/weights/c", started() + finished());
  std::filesystem::create_directory_symlink(folder_ / "a", folder_ / "latest");
  std::filesystem::create_directories(folder_ / "d");
  std::filesystem::create_symlink("run.json", folder_ / "d/run.json");  // of itself: nobody can look at it
  std::vector<std::string> names;
  for (const RunOverview& run : read()) names.push_back(run.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "d", "weights/b"}));
  EXPECT_EQ(read()[1].state, RunState::damaged);
  EXPECT_FALSE(read()[1].reason.empty());
  std::filesystem::rename(folder_ / "a", folder_ / "\xff");
  EXPECT_NO_THROW(nlohmann::json::parse(runs_json(read()))) << "a name that is no UTF-8";
}

TEST_F(Runs, ChildrenStandBelowTheirParents) {
  make("z", started() + judged(1, 0.5) + finished());
  make("b", started() + judged(1, 0.8) + finished(), child_of("z"));
  make("c", started() + judged(1, 0.81) + finished(), child_of("b"));
  make("a", started() + judged(1, 0.4) + finished(), child_of("z"));
  make("m", started() + judged(1, 0.9) + finished());
  const std::vector<RunOverview> runs = read();
  std::vector<std::pair<std::string, std::int64_t>> order;
  for (const RunOverview& run : runs) order.emplace_back(run.name, run.depth);
  EXPECT_EQ(order,
            (std::vector<std::pair<std::string, std::int64_t>>{{"m", 0}, {"z", 0}, {"a", 1}, {"b", 1}, {"c", 2}}));
  EXPECT_NEAR(runs[2].gain->value, -0.1, 1e-12);
  EXPECT_EQ(runs[2].gain->significant, true) << "worse by more than chance";
  EXPECT_NEAR(runs[3].gain->value, 0.3, 1e-12);
  EXPECT_EQ(runs[3].gain->significant, true);
  EXPECT_EQ(runs[4].gain->significant, false);
  EXPECT_LT(*runs[4].gain->low, 0);
  EXPECT_GT(*runs[4].gain->high, 0);
  const std::string table = runs_table(runs);
  EXPECT_NE(table.find("lr 0.001 → 0.0003"), std::string::npos);
  EXPECT_NE(table.find("may be chance"), std::string::npos);
  const auto json = nlohmann::json::parse(runs_json(runs));
  EXPECT_EQ(json[4]["parent"], (folder_ / "b").string());
  EXPECT_EQ(json[4]["changes"][0]["option"], "lr");
}

TEST_F(Runs, FamiliesMayBeMovedTogetherAndParentsMayBeElsewhere) {
  make("old/first", started() + judged(1, 0.5) + finished());
  make("old/second", started() + judged(1, 0.8) + finished(), child_of("old/first"));
  std::filesystem::rename(folder_ / "old", folder_ / "new");
  const std::vector<RunOverview> runs = read();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[1].name, "new/second");
  EXPECT_EQ(runs[1].parent_index, 0u);
  EXPECT_FALSE(runs[1].parent_went_on);
  const std::vector<RunOverview> alone = read_runs(folder_ / "new/second");
  ASSERT_EQ(alone.size(), 1u);
  EXPECT_EQ(alone[0].parent_index, std::nullopt);
  EXPECT_EQ(alone[0].gain, std::nullopt);
  EXPECT_NE(runs_table(alone).find("its parent is not here"), std::string::npos);
}

TEST_F(Runs, AParentThatWentOnIsNamed) {
  make("a", started() + judged(1, 0.5) + finished());
  make("b", started() + judged(1, 0.8) + finished(), child_of("a"));
  write_file_atomically(RunFolder::at(folder_ / "a").best_weights(), "other");
  EXPECT_TRUE(read()[1].parent_went_on);
  EXPECT_NE(runs_table(read()).find("other weights by now"), std::string::npos);
}

TEST_F(Runs, LikeIsComparedWithLikeAlone) {
  make("a", started() + judged(1, 0.5) + finished());
  make("b", "{\"event\":\"started\",\"metric\":\"loss\"}\n{\"event\":\"epoch\",\"eval_loss\":0.2,\"best\":true}\n",
       child_of("a"), {{"metric", "loss"}});
  make("c", started() + judged(1, 0.5) + finished(), child_of("a"), {{"eval-split", "test"}});
  for (const RunOverview& run : read()) EXPECT_EQ(run.gain, std::nullopt) << run.name;
}

TEST_F(Runs, ALowerLossIsAGainWithoutAnInterval) {
  const auto log = [](double loss) {
    return fmt::format(
        "{{\"event\":\"started\",\"metric\":\"loss\"}}\n{{\"event\":\"epoch\",\"eval_loss\":{},\"best\":true}}\n",
        loss);
  };
  make("a", log(0.5), {}, {{"metric", "loss"}});
  make("b", log(0.25), child_of("a"), {{"metric", "loss"}});
  const std::vector<RunOverview> runs = read();
  EXPECT_EQ(runs[1].gain->value, 0.25);
  EXPECT_EQ(runs[1].gain->low, std::nullopt);
  EXPECT_EQ(runs[1].gain->significant, std::nullopt);
}

TEST_F(Runs, DamagedOnesAreListedWithTheReason) {
  make("good", started() + judged(1, 0.5) + finished());
  write_file_atomically(make("a", "") / "run.json", "{\"format_version\": 1");
  write_file_atomically(make("b", "") / "config.ini", "[training]\nlr = fast\n");
  std::filesystem::remove(make("c", "") / "config.ini");
  write_file_atomically(make("d", "") / "run.json", "{\"format_version\": 99}");
  write_file_atomically(make("e", "") / "log.jsonl", std::string("\0\xff\n{\"event\":7}\n{}", 17));
  const std::vector<RunOverview> runs = read();
  ASSERT_EQ(runs.size(), 6u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(runs[i].state, RunState::damaged) << runs[i].name;
    EXPECT_FALSE(runs[i].reason.empty());
  }
  EXPECT_NE(runs[3].reason.find("version 99"), std::string::npos);
  EXPECT_EQ(runs[4].state, RunState::unfinished) << "a log of nonsense says nothing";
  EXPECT_NE(runs_table(runs).find("damaged: "), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(runs_json(runs)).size(), 6u);
}

TEST_F(Runs, OwnAncestorsAreNobodysChildren) {
  make("a", "");
  make("b", "", child_of("a"));
  const RunFolder a = RunFolder::open(folder_ / "a");
  RunRecord record = a.record();
  record.parent = child_of("b");
  a.write_record(record);
  EXPECT_EQ(read().size(), 2u);
}

TEST_F(Runs, NothingAndNoFolder) {
  EXPECT_TRUE(read().empty());
  EXPECT_EQ(runs_table({}), "no runs\n");
  EXPECT_EQ(runs_json({}), "[]\n");
  EXPECT_THROW(read_runs(folder_ / "none"), Error);
}

TEST(DifferenceInterval, NewcombesExample) {
  // Newcombe, 1998 (Statistics in Medicine 17: 873), table II: 56/70 against 48/80, method 10: 0.0524 … 0.3339.
  const DifferenceInterval found = difference_interval(48.0 / 80, 80, 56.0 / 70, 70);
  EXPECT_NEAR(found.low, 0.0524, 5e-5);
  EXPECT_NEAR(found.high, 0.3339, 5e-5);
}

}  // namespace
}  // namespace lockstep
