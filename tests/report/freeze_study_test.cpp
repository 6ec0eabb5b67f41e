#include "lockstep/report/freeze_study.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/core/error.hpp"
#include "lockstep/record/json_log.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

RunFolder make_run(const std::filesystem::path& folder) {
  RunRecord record{"/data/set", "0123", {"a", "b"}, {8, 8, 3}, 6, 8, {1, 1, 1}, {1, 1, 1}, 2, 1, "cpu", {}, {}};
  record.network = {"resnet18", 1000, 400, 2400, {"conv1.weight"}};
  return RunFolder::create(folder, Options::from_values(Command::train, {{"data", "d"}}), record);
}

LogFields epoch(std::int64_t number, double seconds, double accuracy, bool best) {
  return {{"event", std::string("epoch")}, {"epoch", number},   {"train_seconds", seconds},
          {"eval_accuracy", accuracy},     {"best", best}};
}

TEST(FreezeStudy, ReadsWhatARunCameTo) {
  const TemporaryFolder folder;
  const RunFolder run = make_run(folder / "run");
  JsonLog log(run.log());
  log.write(epoch(1, 9, 0.5, true));
  log.write({{"event", std::string("step")}, {"loss", 0.5}});
  log.write({{"event", std::string("evaluation")}, {"eval_accuracy", 0.75}, {"best", true}});
  log.write(epoch(2, 2, 0.625, false));
  log.write(epoch(3, 4, 0.7, false));
  const FreezeResult result = read_freeze_result(run, 0.3, 7);
  const FreezeResult expected{0.3, 7, 2, 1000, 600, 2400, 3, 3.0, 15.0, 0.75};
  EXPECT_EQ(result, expected) << result.to_json();
  EXPECT_EQ(FreezeResult::from_json(result.to_json(), "r.json"), result);
  EXPECT_THROW(FreezeResult::from_json("{\"fraction\": 1}", "r.json"), Error);
  EXPECT_THROW(FreezeResult::from_json("", "r.json"), Error);
}

TEST(FreezeStudy, ARunThatNothingJudgedHasNoResult) {
  const TemporaryFolder folder;
  const RunFolder run = make_run(folder / "run");
  JsonLog(run.log()).write({{"event", std::string("epoch")}, {"train_seconds", 1.0}, {"best", true}});
  EXPECT_THROW(read_freeze_result(run, 0, 0), Error);
}

TEST(FreezeStudy, SpreadIsMeanAndSampleDeviation) {
  EXPECT_EQ(spread_of({3}).deviation, 0);
  const Spread spread = spread_of({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(spread.mean, 5);
  EXPECT_NEAR(spread.deviation, std::sqrt(32.0 / 7), 1e-12);
}

TEST(FreezeStudy, TheTableHasARowForEachShareOverItsSeeds) {
  const std::vector<FreezeResult> results{{0.5, 1, 2, 1000, 250, 1 << 20, 2, 2, 4, 0.90},
                                          {0, 1, 2, 1000, 1000, 4 << 20, 2, 8, 16, 0.95},
                                          {0.5, 2, 2, 1000, 250, 1 << 20, 2, 4, 8, 0.94}};
  EXPECT_EQ(freeze_table(results),
            "| frozen | trained parameters | gradients a step | an epoch | all epochs |                       accuracy |\n"
            "| -----: | -----------------: | ---------------: | -------: | ---------: | -----------------------------: |\n"
            "|      0 |     1000 (100.0 %) |            4 MiB |      8 s |       16 s |                        95.00 % |\n"
            "|    0.5 |       250 (25.0 %) |            1 MiB |      3 s |        6 s | 92.00 ± 2.83 % (90.00 … 94.00) |\n");
  EXPECT_NE(freeze_plot(results).find("<svg"), std::string::npos);
  EXPECT_NE(freeze_json(results).find("\"gradient_bytes_per_step\": 4194304"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
