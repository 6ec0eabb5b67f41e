// Training a network, part of it frozen or not, with dropout or an auxiliary head, gives the same losses on any number
// of ranks.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "comm/rank_threads.hpp"
#include "lockstep/data/step_plan.hpp"
#include "lockstep/model/freezing.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/train/training_step.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;

constexpr std::int64_t samples = 7, classes = 3;

struct Case {
  std::string model, fraction;
  std::int64_t side = 32, steps = 4;
  std::vector<int> ranks = {2, 3};
};

RunConfig config_of(const Case& c) {
  return RunConfig::from(Options::from_values(Command::train, {{"data", "d"},
                                                               {"model", c.model},
                                                               {"optimiser", "sgd"},
                                                               {"nesterov", "true"},
                                                               {"freeze-fraction", c.fraction},
                                                               {"bucket-mib", "4"}}));
}

/// Images that show their label, so that the loss moves.
Batch part_of_batch(std::int64_t step, std::int64_t side, const Range& part) {
  Batch batch;
  batch.labels = at::arange(part.begin, part.end, at::kLong).add(step).remainder(classes);
  const at::Tensor pattern = at::arange(3 * side * side, at::kFloat).view({1, 3, side, side});
  const at::Tensor place = at::arange(part.begin, part.end, at::kFloat).view({-1, 1, 1, 1});
  const at::Tensor label = batch.labels.to(at::kFloat).view({-1, 1, 1, 1});
  batch.images = (at::sin(pattern * (label + 1) * 0.1) + 0.3 * at::cos(pattern * 0.7 + place))
                     .contiguous(at::MemoryFormat::ChannelsLast);
  for (std::int64_t i = part.begin; i < part.end; ++i) batch.ids.push_back(i);
  return batch;
}

std::vector<double> losses_on(int ranks, const Case& c) {
  std::vector<std::vector<double>> losses(static_cast<std::size_t>(ranks));  // [rank]
  run_ranks(ranks, [&](Communicator& communicator) {
    at::set_num_threads(1);
    const RunConfig config = config_of(c);
    RankCommunicators channels = split_rank_communicators(communicator);
    const auto model = make_model(config.model, {3, c.side, classes}, 5);
    {  // residual branches that start small: training from so few samples is chaotic otherwise
      const at::NoGradGuard no_grad;
      for (const auto& item : model->named_parameters()) {
        if (item.key().ends_with("bn2.weight")) item.value().fill_(0.2);
      }
    }
    freeze(*model, config.model.freeze);
    const StepPlan plan(samples, samples, config.model.batch_norm_stats.granularity());
    TrainingStep step(*model, config, channels);
    for (std::int64_t i = 0; i < c.steps; ++i) {
      const StepPlace place{i, samples, plan.rank_groups(0, communicator.rank(), ranks), false};
      const Range part = plan.rank_part(0, communicator.rank(), ranks);
      losses[static_cast<std::size_t>(communicator.rank())].push_back(
          step.run(part_of_batch(i, c.side, part), place, 5e-4).loss);
    }
  });
  for (const auto& of_rank : losses) EXPECT_EQ(of_rank, losses[0]) << "ranks disagree on the loss";
  return losses[0];
}

class NetworkRanks : public ::testing::TestWithParam<Case> {};

TEST_P(NetworkRanks, HaveTheLossesOfOne) {
  at::set_num_threads(1);
  const std::vector<double> one = losses_on(1, GetParam());
  if (one.size() > 1) {
    EXPECT_GT(std::abs(one.front() - one.back()), 0.01) << "training did not move";
  }
  for (const int ranks : GetParam().ranks) {
    const std::vector<double> many = losses_on(ranks, GetParam());
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_LE(std::abs(many[i] - one[i]) / one[i], 1e-5)
          << ranks << " ranks, step " << i + 1 << ": " << many[i] << " vs " << one[i];
  }
}

// Inception's auxiliary head needs large images: one step of them.
INSTANTIATE_TEST_SUITE_P(Kinds, NetworkRanks,
                         ::testing::Values(Case{"resnet18", "0"}, Case{"resnet18", "0.5"}, Case{"squeezenet1_1", "0"},
                                           Case{"mobilenet_v3_small", "0.5"}, Case{"inception_v3", "0", 299, 1, {2}}));

}  // namespace
}  // namespace lockstep
