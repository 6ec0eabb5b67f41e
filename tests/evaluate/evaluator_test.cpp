#include "lockstep/evaluate/evaluator.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <set>

#include "comm/rank_threads.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/full_metrics.hpp"
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
      const Evaluation evaluation =
          evaluate(*model, split, transform, 3, {8, threads, KeepScores::on_every_rank}, communicator);
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

TEST_F(Evaluators, KeepScoresOnRankZeroAlone) {
  const DataSplit split(folder_.path(), manifest_, "train");
  const ImageTransform transform(manifest_.shape, 8, channel_scale(Normalisation::standardise, manifest_));
  std::vector<double> expected;
  for (const int ranks : {1, 3, 5}) {  // four blocks: of five ranks one has none
    run_ranks(ranks, [&](Communicator& communicator) {
      const auto model = make_model(config_, {3, 8, 3}, 1);
      const Evaluation found = evaluate(*model, split, transform, 3, {8, 1, KeepScores::on_first_rank}, communicator);
      EXPECT_TRUE(found.single_precision);
      EXPECT_EQ(found.scores.size(), communicator.rank() == 0 ? 303u : 0u);
      if (communicator.rank() > 0) return;
      for (std::size_t i = 0; i < found.predictions.size(); ++i) {
        const Prediction& p = found.predictions[i];
        const Prediction again = predict(std::span(found.scores).subspan(3 * i, 3), p.id, p.label);
        EXPECT_EQ(again.loss, p.loss) << "a score came to another sample";
        EXPECT_EQ(again.rank, p.rank);
      }
      if (ranks == 1) expected = found.scores;
      EXPECT_EQ(found.scores, expected);
    });
  }
}

TEST_F(Evaluators, AverageTheProbabilitiesOfMirrorImages) {
  const DataSplit split(folder_.path(), manifest_, "test");
  const auto model = make_model(config_, {3, 8, 3}, 1);
  const ImageTransform transform(manifest_.shape, 8, channel_scale(Normalisation::standardise, manifest_));
  const at::NoGradGuard no_grad;
  at::Tensor images = at::empty({5, 8, 8, 3});
  std::vector<std::int64_t> labels;
  ImageTransform::Scratch scratch;
  for (std::int64_t i = 0; i < 5; ++i) {
    std::vector<std::uint8_t> bytes(split.stored_bytes(i));
    split.read(i, bytes);
    Augmentation whole;
    whole.crop = {0, 0, 8, 8};
    transform.apply(bytes, whole, {images.data_ptr<float>() + i * 192, 192}, scratch);
    labels.push_back(split.label(i));
  }
  images = images.permute({0, 3, 1, 2});
  for (const auto& [flips, views] :
       {std::pair{TestTimeFlips::horizontal, std::vector<std::vector<std::int64_t>>{{}, {3}}},
        std::pair{TestTimeFlips::both, std::vector<std::vector<std::int64_t>>{{}, {3}, {2}, {2, 3}}}}) {
    at::Tensor mean = at::zeros({5, 3});
    for (const auto& axes : views) mean += at::softmax(model->forward(images.flip(axes), {}), 1);
    mean /= static_cast<double>(views.size());
    const at::Tensor chosen = mean.gather(1, at::tensor(labels).unsqueeze(1));
    run_ranks(2, [&, flips = flips](Communicator& communicator) {
      const Evaluation found = evaluate(*model, split, transform, 3, {8, 1, KeepScores::nowhere, flips}, communicator);
      EXPECT_NEAR(found.metrics.loss, -chosen.log().mean().item<double>(), 1e-5);
    });
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
    EXPECT_THROW(evaluate(*model, split, transform, 3, {8, 2, KeepScores::on_every_rank}, communicator), Error);
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
