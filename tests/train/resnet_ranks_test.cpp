// Training a ResNet, part of it frozen or not, gives the same losses on any number of ranks.
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

constexpr std::int64_t samples = 7, side = 32, classes = 3, steps = 4;

RunConfig config_of(const std::string& fraction) {
  return RunConfig::from(Options::from_values(Command::train, {{"data", "d"},
                                                               {"model", "resnet18"},
                                                               {"optimiser", "sgd"},
                                                               {"nesterov", "true"},
                                                               {"freeze-fraction", fraction},
                                                               {"bucket-mib", "4"}}));
}

/// Images that show their label, so that the loss moves.
Batch part_of_batch(std::int64_t step, const Range& part) {
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

std::vector<double> losses_on(int ranks, const std::string& fraction) {
  std::vector<std::vector<double>> losses(static_cast<std::size_t>(ranks));  // [rank]
  run_ranks(ranks, [&](Communicator& communicator) {
    at::set_num_threads(1);
    const RunConfig config = config_of(fraction);
    RankCommunicators channels = split_rank_communicators(communicator);
    const auto model = make_model(config.model, {3, side, classes}, 5);
    {  // residual branches that start small: training from so few samples is chaotic otherwise
      const at::NoGradGuard no_grad;
      for (const auto& item : model->named_parameters()) {
        if (item.key().ends_with("bn2.weight")) item.value().fill_(0.2);
      }
    }
    freeze(*model, config.model.freeze);
    const StepPlan plan(samples, samples, config.model.batch_norm_stats.granularity());
    TrainingStep step(*model, config, channels);
    for (std::int64_t i = 0; i < steps; ++i) {
      const StepPlace place{i, samples, plan.rank_groups(0, communicator.rank(), ranks), false};
      const Range part = plan.rank_part(0, communicator.rank(), ranks);
      losses[static_cast<std::size_t>(communicator.rank())].push_back(
          step.run(part_of_batch(i, part), place, 5e-4).loss);
    }
  });
  for (const auto& of_rank : losses) EXPECT_EQ(of_rank, losses[0]) << "ranks disagree on the loss";
  return losses[0];
}

class ResNetRanks : public ::testing::TestWithParam<std::string> {};

TEST_P(ResNetRanks, HaveTheLossesOfOne) {
  at::set_num_threads(1);
  const std::vector<double> one = losses_on(1, GetParam());
  EXPECT_GT(std::abs(one.front() - one.back()), 0.01) << "training did not move";
  for (const int ranks : {2, 3}) {
    const std::vector<double> many = losses_on(ranks, GetParam());
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_LE(std::abs(many[i] - one[i]) / one[i], 1e-5)
          << ranks << " ranks, step " << i + 1 << ": " << many[i] << " vs " << one[i];
  }
}

INSTANTIATE_TEST_SUITE_P(FrozenShare, ResNetRanks, ::testing::Values("0", "0.5"));

}  // namespace
}  // namespace lockstep
