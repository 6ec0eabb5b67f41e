// The gradients of one step of the whole custom CNN, on several ranks against one, for the same global batch.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "comm/rank_threads.hpp"
#include "lockstep/data/step_plan.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/train/training_step.hpp"

namespace lockstep {
namespace {

using testing::run_ranks;

constexpr std::int64_t samples = 13;  // divided by no number of ranks

RunConfig config_of(const std::string& stats) {
  return RunConfig::from(Options::from_values(Command::train, {{"data", "d"},
                                                               {"filters", "8,16,32"},
                                                               {"kernels", "3,5,3"},
                                                               {"activation", "mish"},
                                                               {"dense", "24"},
                                                               {"dropout-conv", "0.2"},
                                                               {"dropout-dense", "0.3"},
                                                               {"batch-norm-stats", stats},
                                                               {"bucket-mib", "0.01"}}));
}

/// Part [begin, end) of a fixed global batch.
Batch part_of_batch(const Range& part) {
  Batch batch;
  const at::Tensor all = at::sin(at::arange(samples * 3 * 16 * 16, at::kFloat) * 0.37).view({samples, 3, 16, 16});
  batch.images = all.slice(0, part.begin, part.end).contiguous(at::MemoryFormat::ChannelsLast);
  batch.labels = at::arange(part.begin, part.end, at::kLong).remainder(4);
  for (std::int64_t i = part.begin; i < part.end; ++i) batch.ids.push_back(100 + i);
  return batch;
}

/// Every parameter's gradient after one step, by name, as rank 0 sees it.
std::vector<std::pair<std::string, at::Tensor>> gradients_on(int ranks, const std::string& stats) {
  std::vector<std::pair<std::string, at::Tensor>> gradients;
  run_ranks(ranks, [&](Communicator& communicator) {
    const RunConfig config = config_of(stats);
    RankCommunicators channels = split_rank_communicators(communicator);
    const auto model = make_model(config.model, {3, 16, 4}, config.seed);
    const StepPlan plan(samples, samples, config.model.batch_norm_stats.granularity());
    TrainingStep step(*model, config, channels);
    const StepPlace place{5, samples, plan.rank_groups(0, communicator.rank(), ranks), false};
    step.run(part_of_batch(plan.rank_part(0, communicator.rank(), ranks)), place, 0.01);
    if (communicator.rank() != 0) return;
    for (const auto& [name, parameter] : step.gradients().parameters())
      gradients.emplace_back(name, parameter.grad().clone());
  });
  return gradients;
}

class Gradients : public ::testing::TestWithParam<std::string> {};

TEST_P(Gradients, OfSeveralRanksAreThoseOfOne) {
  at::set_num_threads(1);
  const auto one = gradients_on(1, GetParam());
  for (const int ranks : {2, 4, 5}) {
    const auto many = gradients_on(ranks, GetParam());
    ASSERT_EQ(many.size(), one.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      const double error = ((many[i].second - one[i].second).norm() / one[i].second.norm()).item<double>();
      EXPECT_LE(error, 1e-5) << one[i].first << " on " << ranks << " ranks";
      EXPECT_GT(one[i].second.norm().item<double>(), 0) << one[i].first;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BatchNorm, Gradients, ::testing::Values("global", "group:3"));

}  // namespace
}  // namespace lockstep
