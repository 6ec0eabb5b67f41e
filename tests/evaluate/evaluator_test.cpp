#include "lockstep/evaluate/evaluator.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <set>

#include "comm/rank_threads.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/model/make_model.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;
using testing::TemporaryFolder;
using testing::write_tiny_data_set;

class Evaluators : public ::testing::Test {
 protected:
  std::string metrics_on(int ranks, std::int64_t threads) {
    std::vector<std::string> json(static_cast<std::size_t>(ranks));
    run_ranks(ranks, [&](Communicator& communicator) {
      const DataSplit split(folder_.path(), manifest_, "train");
      const auto model = make_model(config_, {3, 8, 3}, 1);
      const ImageTransform transform(manifest_.shape, 8, channel_scale(Normalisation::standardise, manifest_));
      const Evaluation evaluation = evaluate(*model, split, transform, 3, {8, threads, true}, communicator);
      std::set<std::int64_t> ids;
      for (const Prediction& p : evaluation.predictions) ids.insert(p.id);
      EXPECT_EQ(ids.size(), 101u) << "every sample once";
      EXPECT_EQ(evaluation.predictions.size(), 101u);
      json[static_cast<std::size_t>(communicator.rank())] =
          metrics_json(evaluation.metrics, manifest_.classes, {"train", "best"});
    });
    for (const std::string& of_rank : json) EXPECT_EQ(of_rank, json[0]);
    return json[0];
  }

  TemporaryFolder folder_;
  Manifest manifest_ = write_tiny_data_set(folder_.path(), {8, 3, 3, 101, 7, 5, 20});  // 101 = 3·32 + 5
  ModelConfig config_ =
      RunConfig::from(
          Options::from_values(Command::train, {{"data", "d"}, {"filters", "8,16"}, {"activation", "mish"}}))
          .model;
};

TEST_F(Evaluators, GiveTheSameBytesForEveryNumberOfRanksAndThreads) {
  const std::string one = metrics_on(1, 1);
  // Repeated, since what once broke it (a loop taking its scalar path when buffers lay side by side) came one time in
  // 200.
  for (int round = 0; round < 20; ++round) {
    for (const int ranks : {1, 2, 3, 4, 5}) {
      const std::int64_t threads = 1 + round % 2;
      EXPECT_EQ(metrics_on(ranks, threads), one) << ranks << " ranks, " << threads << " threads";
    }
  }
}

TEST_F(Evaluators, RefuseScoresThatAreNotFinite) {
  const DataSplit split(folder_.path(), manifest_, "train");
  const auto model = make_model(config_, {3, 8, 3}, 1);
  {
    const at::NoGradGuard no_grad;
    model->named_parameters()["output.bias"].fill_(std::nan(""));
  }
  const ImageTransform transform(manifest_.shape, 8, channel_scale(Normalisation::standardise, manifest_));
  run_ranks(1, [&](Communicator& communicator) {
    EXPECT_THROW(evaluate(*model, split, transform, 3, {8, 2, true}, communicator), Error);
  });
}

TEST_F(Evaluators, LeaveTheThreadCountAsItWas) {
  at::set_num_threads(2);
  metrics_on(1, 2);
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(1);
}

}  // namespace
}  // namespace lockstep
