#include "lockstep/record/run_log.hpp"

#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

std::vector<std::int64_t> steps_of(const std::vector<LogLine>& lines) {
  std::vector<std::int64_t> steps;
  for (const LogLine& line : lines) steps.push_back(line.integer("step"));
  return steps;
}

TEST(RunLog, ReadsValuesOfEveryKind) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "log",
                        R"({"event":"epoch","step":3,"loss":0.5,"best":true,"auc":null,"name":"a \"b\""})"
                        "\n");
  const std::vector<LogLine> lines = read_run_log(folder / "log");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].event(), "epoch");
  EXPECT_EQ(lines[0].integer("step"), 3);
  EXPECT_EQ(lines[0].number("loss"), 0.5);
  EXPECT_TRUE(lines[0].flag("best"));
  EXPECT_EQ(lines[0].text("name"), "a \"b\"");
  EXPECT_FALSE(lines[0].has("auc"));
  EXPECT_EQ(lines[0].number("name"), std::nullopt) << "of another kind";
  EXPECT_EQ(lines[0].text("nothing"), "");
  EXPECT_FALSE(lines[0].flag("nothing"));
}

TEST(RunLog, WhatAResumeMadeVoidIsGone) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "log",
                        "{\"event\":\"started\",\"step\":0}\n{\"event\":\"step\",\"step\":1}\n{\"event\":\"step\",\"step\":2}\n"
                        "{\"event\":\"step\",\"step\":3}\n{\"event\":\"resumed\",\"step\":2}\n{\"event\":\"step\",\"step\":3}\n"
                        "{\"event\":\"resumed\",\"step\":1}\n{\"event\":\"step\",\"step\":2}\n");
  EXPECT_EQ(steps_of(read_run_log(folder / "log", {"step"})), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(steps_of(read_run_log(folder / "log")), (std::vector<std::int64_t>{0, 1, 1, 2}));
}

TEST(RunLog, AJudgementThatIsMadeOnceMoreCountsOnce) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "log", R"({"event":"step","step":5}
{"event":"checkpoint","step":5}
{"event":"epoch","step":5,"accuracy":0.25}
{"event":"failed","step":5}
{"event":"resumed","step":5}
{"event":"epoch","step":5,"accuracy":0.5}
{"event":"failed","step":5}
{"event":"resumed","step":5}
{"event":"epoch","step":5,"accuracy":0.75}
)");
  const std::vector<LogLine> epochs = read_run_log(folder / "log", {"epoch"});
  ASSERT_EQ(epochs.size(), 1u);
  EXPECT_EQ(epochs[0].number("accuracy"), 0.75);
  EXPECT_EQ(read_run_log(folder / "log", {"step", "checkpoint"}).size(), 2u);
  EXPECT_EQ(read_run_log(folder / "log", {"resumed", "failed"}).size(), 4u) << "starts and their ends all count";
}

TEST(RunLog, TornAndStrangeLinesArePassedOver) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "log", "{\"event\":\"step\",\"step\":1}\n[1,2]\n\nnonsense\n{\"event\":\"st");
  EXPECT_EQ(steps_of(read_run_log(folder / "log")), (std::vector<std::int64_t>{1}));
  write_file_atomically(folder / "log", "");
  EXPECT_TRUE(read_run_log(folder / "log").empty());
  EXPECT_THROW(read_run_log(folder / "none"), Error);
}

}  // namespace
}  // namespace lockstep
