#include "lockstep/evaluate/ensemble.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "comm/rank_threads.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/full_metrics.hpp"
#include "lockstep/evaluate/prediction.hpp"
#include "lockstep/model/make_model.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;
using testing::TemporaryFolder;
using testing::write_tiny_data_set;

/// One sample; scores are logarithms of these.
ScoredBlock block_of(const std::vector<float>& probabilities) {
  const at::Tensor scores = at::tensor(at::ArrayRef<float>(probabilities), at::kFloat).log().view({1, -1});
  return {0, {7}, {1}, scores};
}

void expect_probabilities(const ScoredBlock& block, const std::vector<double>& expected) {
  const at::Tensor found = block.probabilities().to(at::kDouble).contiguous();
  ASSERT_EQ(found.numel(), std::ssize(expected));
  for (std::size_t c = 0; c < expected.size(); ++c) EXPECT_NEAR(found.const_data_ptr<double>()[c], expected[c], 1e-7);
}

TEST(Ensembles, MeanWeighsProbabilities) {
  const ScoredBlock mean =
      combine({Combination::Rule::mean, {2, 1}}, {block_of({0.7f, 0.2f, 0.1f}), block_of({0.1f, 0.6f, 0.3f})});
  expect_probabilities(mean, {0.5, 1.0 / 3, 1.0 / 6});
  EXPECT_TRUE(mean.winners.empty());
  EXPECT_EQ(mean.ids, std::vector<std::int64_t>{7});
}

TEST(Ensembles, MeanOfVeryUnlikelyClassesStaysFinite) {
  ScoredBlock sure{0, {7}, {1}, at::tensor({900.0f, 0.0f}).view({1, 2})}, unsure = block_of({0.5f, 0.5f});
  const ScoredBlock mean = combine({Combination::Rule::mean, {1, 1}}, {sure, unsure});
  EXPECT_NEAR(mean.scores.const_data_ptr<double>()[1], std::log(0.25), 1e-9);
  const ScoredBlock both = combine({Combination::Rule::mean, {1, 1}}, {sure, sure});
  EXPECT_NEAR(both.scores.const_data_ptr<double>()[1], -900, 1e-9);
}

TEST(Ensembles, VotesDecideAndTheMeanDecidesBetweenEqualOnes) {
  const ScoredBlock a = block_of({0.9f, 0.06f, 0.04f}), b = block_of({0.3f, 0.4f, 0.3f}),
                    c = block_of({0.3f, 0.4f, 0.3f});
  const ScoredBlock two_to_one = combine({Combination::Rule::vote, {1, 1, 1}}, {a, b, c});
  EXPECT_EQ(two_to_one.winners, std::vector<std::int64_t>{1});
  expect_probabilities(two_to_one, {0.5, 0.86 / 3, 0.64 / 3});
  EXPECT_EQ(combine({Combination::Rule::vote, {1, 1, 0}}, {a, b, c}).winners, std::vector<std::int64_t>{0}) << "a tie";
  EXPECT_EQ(combine({Combination::Rule::vote, {0.3, 0.1, 0.2}}, {a, b, c}).winners, std::vector<std::int64_t>{0})
      << "0.1 + 0.2 is 0.3";
  EXPECT_EQ(combine({Combination::Rule::vote, {0.29, 0.1, 0.2}}, {a, b, c}).winners, std::vector<std::int64_t>{1});
}

TEST(Ensembles, OneMemberPassesThroughUntouched) {
  const ScoredBlock a = block_of({0.9f, 0.1f}), b = block_of({0.2f, 0.8f});
  for (const auto rule : {Combination::Rule::mean, Combination::Rule::vote}) {
    const ScoredBlock alone = combine({rule, {0, 3}}, {a, b});
    EXPECT_EQ(alone.scores.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(alone.scores, b.scores));
    EXPECT_TRUE(alone.winners.empty());
  }
}

TEST(Ensembles, MembersMustSeeTheSameSamples) {
  ScoredBlock a = block_of({0.9f, 0.1f}), b = a;
  b.ids = {8};
  EXPECT_THROW(combine({Combination::Rule::mean, {1, 1}}, {a, b}), Error);
}

TEST(Ensembles, TheBestMemberIsTheMostAccurateThenTheSurest) {
  std::vector<Metrics> members(3);
  members[0].accuracy = 0.5, members[0].loss = 0.1;
  members[1].accuracy = 0.7, members[1].loss = 0.9;
  members[2].accuracy = 0.7, members[2].loss = 0.8;
  EXPECT_EQ(best_member(members), 2u);
  members[2].loss = 0.9;
  EXPECT_EQ(best_member(members), 1u) << "of equals the first";
}

std::vector<double> losses(const std::vector<double>& probabilities) {
  std::vector<double> result;
  for (const double p : probabilities) result.push_back(-std::log(p));
  return result;
}

TEST(Ensembles, GreedySelectionTakesMembersThatMakeUpForOneAnother) {
  const std::vector<double> halves = greedy_weights({losses({0.9, 0.1}), losses({0.1, 0.9}), losses({0.2, 0.2})});
  EXPECT_NEAR(halves[0], 0.5, 1e-12);
  EXPECT_NEAR(halves[1], 0.5, 1e-12);
  EXPECT_EQ(halves[2], 0);
  EXPECT_EQ(greedy_weights({losses({0.5, 0.5}), losses({0.9, 0.8})}), (std::vector<double>{0, 1}));
  EXPECT_EQ(greedy_weights({losses({0.5, 0.5}), losses({0.5, 0.5})}), (std::vector<double>{1, 0}))
      << "of equals the first";
}

TEST(Ensembles, GreedyWeightsComeNearTheBestMean) {
  // Two samples, members a and b: the loss of the mean with share s of a is −log(s·0.8 + (1−s)·0.3) − log(s·0.1 +
  // (1−s)·0.5), over 2; its derivative is zero at s = 0.325.
  const std::vector<double> weights = greedy_weights({losses({0.8, 0.1}), losses({0.3, 0.5})});
  EXPECT_NEAR(weights[0], 0.325, 0.01);
  EXPECT_NEAR(weights[0] + weights[1], 1, 1e-12);
}

class EnsemblesOfNetworks : public ::testing::Test {
 protected:
  static ModelConfig config(const std::string& filters) {
    return RunConfig::from(Options::from_values(Command::train, {{"data", "d"}, {"filters", filters}, {"dense", "8"}}))
        .model;
  }
  std::shared_ptr<Model> network(std::uint64_t seed, const std::string& filters = "4") const {
    return make_model(config(filters), {3, 8, 3}, seed);
  }
  /// Everything that predict_samples gives, as bytes.
  std::string predictions(int ranks, std::int64_t threads, const Combination& how) {
    std::string bytes;
    run_ranks(ranks, [&](Communicator& communicator) {
      const DataSplit split(folder_.path(), manifest_, "train");
      const auto first = network(1), second = network(2, "6,4");
      const EvaluationSettings settings{8, threads};
      const std::vector<Scorer> members{{*first, images_of(split, transform_, settings, at::kCPU), settings},
                                        {*second, images_of(split, transform_, settings, at::kCPU), settings}};
      predict_samples(members, how, 3, communicator, [&](const PredictedSamples& window) {
        EXPECT_EQ(communicator.rank(), 0);
        ++windows_;
        for (std::size_t i = 0; i < window.ids.size(); ++i) {
          bytes.append(reinterpret_cast<const char*>(&window.ids[i]), sizeof window.ids[i]);
          bytes.append(reinterpret_cast<const char*>(&window.winners[i]), sizeof window.winners[i]);
          bytes.append(reinterpret_cast<const char*>(window.row(i).data()), 3 * sizeof(double));
        }
      });
    });
    return bytes;
  }

  TemporaryFolder folder_;
  Manifest manifest_ = write_tiny_data_set(folder_.path(), {8, 3, 3, 4133, 7, 5, 500});  // 4096 + 32 + 5
  ImageTransform transform_{manifest_.shape, 8, channel_scale(Normalisation::standardise, manifest_)};
  int windows_ = 0;
};

TEST_F(EnsemblesOfNetworks, PredictTheSameBytesForEveryNumberOfRanksAndThreads) {
  const Combination how{Combination::Rule::vote, {2, 1}};
  const std::string one = predictions(1, 1, how);
  EXPECT_EQ(windows_, 2);
  EXPECT_EQ(one.size(), 4133u * 5 * 8) << "every sample once";
  for (const int ranks : {2, 3}) EXPECT_EQ(predictions(ranks, 2, how), one) << ranks;
}

TEST_F(EnsemblesOfNetworks, PredictAsTheNetworkAloneWhereOneCounts) {
  EXPECT_EQ(predictions(2, 1, {Combination::Rule::mean, {0, 1}}), predictions(1, 1, {Combination::Rule::vote, {0, 5}}));
}

TEST_F(EnsemblesOfNetworks, OneMemberOfWeightOneIsThatNetworksEvaluation) {
  const DataSplit split(folder_.path(), manifest_, "train");
  const auto first = network(1), second = network(2);
  const EvaluationSettings settings{8, 2, KeepScores::on_every_rank};
  const std::vector<Scorer> members{{*first, images_of(split, transform_, settings, at::kCPU), settings},
                                    {*second, images_of(split, transform_, settings, at::kCPU), settings}};
  run_ranks(2, [&](Communicator& communicator) {
    const auto json = [&](const Evaluation& evaluation) {
      return metrics_object(evaluation.metrics, manifest_.classes);
    };
    const std::string alone = json(evaluate(*second, split, transform_, 3, settings, communicator));
    const EnsembleEvaluation found = evaluate_ensemble(members, {Combination::Rule::mean, {0, 1}}, 3, communicator);
    EXPECT_EQ(json(found.ensemble), alone);
    EXPECT_EQ(json(found.members[1]), alone);
    EXPECT_NE(json(found.members[0]), alone);
    EXPECT_EQ(found.ensemble.predictions.size(), 4133u);
  });
}

TEST_F(EnsemblesOfNetworks, MeanParametersAreWeighted) {
  const auto first = network(1), second = network(2), mean = network(3);
  mean_parameters({first.get(), second.get()}, {"a", "b"}, {3, 1}, *mean);
  const auto a = state_of(*first), b = state_of(*second), found = state_of(*mean);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].second.is_floating_point()) continue;
    EXPECT_TRUE(at::allclose(found[i].second, 0.75 * a[i].second + 0.25 * b[i].second, 1e-6, 1e-7)) << found[i].first;
  }
  mean_parameters({first.get(), second.get()}, {"a", "b"}, {1, 0}, *mean);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(state_of(*mean)[i].second, a[i].second));
}

TEST_F(EnsemblesOfNetworks, ParametersOfDifferentNetworksAreNotAveraged) {
  const auto first = network(1), second = network(2, "6"), mean = network(3);
  try {
    mean_parameters({first.get(), second.get()}, {"runs/a", "runs/b"}, {1, 1}, *mean);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("runs/a and runs/b are different networks"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace lockstep
