// A judgement that was killed, or made and not yet kept, is made once more: to the same end, bit for bit.
#include <fstream>

#include "train/resumed_runs.hpp"

namespace lockstep {
namespace {

using testing::unfreezing;
using testing::Values;
class JudgedAgain : public testing::ResumedRuns {};

struct JudgedKind {
  const char* name;
  Values options;
  int ranks;
  std::vector<std::int64_t> judged;  // steps
};

std::vector<JudgedKind> judged_kinds() {
  return {{"within epochs, early stopping",
           {{"eval-every", "2steps"}, {"checkpoint-every", "30minutes"}, {"early-stopping", "4"}, {"min-change", "9"}},
           1,
           {2, 4, 10}},
          {"plain mean, statistics of each rank", {{"swa-from", "1"}, {"batch-norm-stats", "rank"}}, 2, {5, 10}},
          {"unfreezing", unfreezing({{"optimiser", "adam"}, {"ema", "0.7"}}), 2, {5, 10}},
          {"plateau, exponential mean",
           {{"schedule", "plateau"}, {"plateau-patience", "0"}, {"min-change", "0.2"}, {"ema", "0.9"}},
           2,
           {5, 10}}};
}

/// The images that judge are gone, so that the judgement fails as if it had been killed.
TEST_F(JudgedAgain, AnUnfinishedJudgementCostsNoStep) {
  const std::filesystem::path images = folder_ / "shards/validation-00000.h5";
  const std::string bytes = read_file(images);
  keeps_before_judging_ = true;
  for (const JudgedKind& kind : judged_kinds()) {
    const Options given = options(kind.options);
    const std::string whole = fresh_run();
    const TrainingResult uninterrupted = start(given, whole, kind.ranks, 0);
    for (const std::int64_t judged : kind.judged) {
      const std::string what = fmt::format("{}, the judgement of step {}", kind.name, judged), run = fresh_run();
      on_step_ = [&](std::int64_t step) {
        if (step + 1 == judged) std::filesystem::resize_file(images, 0);
      };
      EXPECT_ANY_THROW(start(given, run, kind.ranks, 0)) << what;
      on_step_ = [](std::int64_t) {};
      std::ofstream(images, std::ios::binary) << bytes;
      const FoundCheckpoint kept = newest_checkpoint(RunFolder::open(run).checkpoints());
      ASSERT_TRUE(kept.newest) << what;
      EXPECT_EQ(kept.newest->state.steps, judged) << what;
      EXPECT_LT(kept.newest->state.judged_steps, judged) << what;
      const TrainingResult second = start(given, run, kind.ranks, 0);
      EXPECT_EQ(second.best_value, uninterrupted.best_value) << what;
      expect_equal(story_of(whole), story_of(run), what);
      EXPECT_EQ(newest_checkpoint(RunFolder::open(run).checkpoints()).newest->state.judged_steps, uninterrupted.steps)
          << what << ": judged, not to be judged again";
    }
  }
}

/// A kill after the judgement, when the newest checkpoint is the one of before it.
TEST_F(JudgedAgain, IsTheSame) {
  keeps_before_judging_ = true;
  for (const JudgedKind& kind : judged_kinds()) {
    Values values = kind.options;
    values["checkpoint-every"] = "30minutes";
    const Options given = options(values);
    const std::string whole = fresh_run();
    start(given, whole, kind.ranks, 0);
    for (const std::int64_t judged : kind.judged) {
      if (judged == epochs * steps_per_epoch) continue;  // no step follows
      const std::string what = fmt::format("{}, the judgement of step {}", kind.name, judged), run = fresh_run();
      on_step_ = [&](std::int64_t step) {
        if (step == judged) throw Error("killed", "here", "go on");
      };
      EXPECT_ANY_THROW(start(given, run, kind.ranks, 0)) << what;
      on_step_ = [](std::int64_t) {};
      EXPECT_EQ(newest_checkpoint(RunFolder::open(run).checkpoints()).newest->state.steps, judged) << what;
      start(given, run, kind.ranks, 0);
      expect_equal(story_of(whole), story_of(run), what);
    }
  }
}

}  // namespace
}  // namespace lockstep
