// Fifty steps beside torch.optim, on tensors of several layouts with gradients that change sign and vanish.
#include "lockstep/optim/optimiser.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using Named = std::vector<std::pair<std::string, at::Tensor>>;

Named some_parameters() {
  Named parameters;
  const at::Tensor flat = at::linspace(-1, 1, 1001), image = at::linspace(-2, 1, 4 * 3 * 5 * 5).view({4, 3, 5, 5});
  parameters.emplace_back("flat", flat.clone().requires_grad_(true));
  parameters.emplace_back("image", image.clone().contiguous(at::MemoryFormat::ChannelsLast).requires_grad_(true));
  for (auto& [name, parameter] : parameters) parameter.mutable_grad() = at::zeros_like(parameter);
  return parameters;
}

void set_gradients(const Named& parameters, int step) {
  for (const auto& [name, parameter] : parameters) {
    at::Tensor gradient = parameter.grad();
    gradient.copy_(at::sin(parameter.detach() * 3 + step) * (step % 5 == 4 ? 0.0 : 1.0));
  }
}

std::unique_ptr<torch::optim::Optimizer> torch_optimiser(const OptimiserConfig& c, const Named& parameters) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, parameter] : parameters) tensors.push_back(parameter);
  if (c.kind == OptimiserKind::sgd) {
    return std::make_unique<torch::optim::SGD>(
        tensors, torch::optim::SGDOptions(c.lr).momentum(c.momentum).nesterov(c.nesterov).weight_decay(c.weight_decay));
  }
  const std::tuple betas(c.beta1, c.beta2);
  if (c.kind == OptimiserKind::adam) {
    return std::make_unique<torch::optim::Adam>(
        tensors, torch::optim::AdamOptions(c.lr).betas(betas).eps(c.epsilon).weight_decay(c.weight_decay));
  }
  return std::make_unique<torch::optim::AdamW>(
      tensors, torch::optim::AdamWOptions(c.lr).betas(betas).eps(c.epsilon).weight_decay(c.weight_decay));
}

OptimiserConfig with(OptimiserKind kind, double decay, double momentum = 0.9, bool nesterov = false) {
  OptimiserConfig config{kind, 0.01, decay, momentum, nesterov, 0.9, 0.999, 1e-8, 0, 1};
  config.decoupled_decay = kind == OptimiserKind::adamw;
  return config;
}

class Optimisers : public ::testing::TestWithParam<OptimiserConfig> {};

TEST_P(Optimisers, FollowTorchOverFiftySteps) {
  const Named mine = some_parameters(), theirs = some_parameters();
  const auto optimiser = make_optimiser(GetParam(), mine);
  const auto reference = torch_optimiser(GetParam(), theirs);
  for (int step = 0; step < 50; ++step) {
    set_gradients(mine, step);
    set_gradients(theirs, step);
    optimiser->step(GetParam().lr);
    reference->step();
  }
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const at::Tensor a = mine[i].second.detach(), b = theirs[i].second.detach();
    EXPECT_LT(((a - b).norm() / b.norm()).item<double>(), 1e-6) << mine[i].first;
  }
  EXPECT_EQ(optimiser->steps(), (std::map<std::string, std::int64_t>{{"flat", 50}, {"image", 50}}));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Optimisers,
                         ::testing::Values(with(OptimiserKind::sgd, 0, 0), with(OptimiserKind::sgd, 1e-3, 0),
                                           with(OptimiserKind::sgd, 1e-3), with(OptimiserKind::sgd, 1e-3, 0.8, true),
                                           with(OptimiserKind::adam, 0), with(OptimiserKind::adam, 1e-2),
                                           with(OptimiserKind::adamw, 0.1)));

/// Both parameters with rates of their own, of which the second changes; the second is trained from step 20 on.
TEST_P(Optimisers, FollowTorchsParameterGroups) {
  constexpr int late = 20;
  const double factors[] = {0.3, 2.5};
  const Named mine = some_parameters(), theirs = some_parameters();
  const auto rate = [](int step) { return 0.01 / (1 + 0.1 * step); };
  auto optimiser = make_optimiser(GetParam(), {mine[0]}, {factors[0]});
  const auto reference = torch_optimiser(GetParam(), {theirs[0]});
  for (int step = 0; step < 50; ++step) {
    if (step == late) {
      const auto both = make_optimiser(GetParam(), mine, {factors[0], factors[1]});
      take_over(*both, *optimiser);
      optimiser = make_optimiser(GetParam(), mine, {factors[0], factors[1]});
      take_over(*optimiser, *both);  // once more: nothing is lost on the way
      torch::optim::OptimizerParamGroup group({theirs[1].second}, reference->param_groups()[0].options().clone());
      reference->add_param_group(group);
    }
    set_gradients(mine, step);
    set_gradients(theirs, step);
    optimiser->step(rate(step));
    for (std::size_t g = 0; g < reference->param_groups().size(); ++g)
      reference->param_groups()[g].options().set_lr(rate(step) * factors[g]);
    reference->step();
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const at::Tensor a = mine[i].second.detach(), b = theirs[i].second.detach();
      ASSERT_LT(((a - b).norm() / b.norm()).item<double>(), 1e-6) << mine[i].first << " in step " << step;
    }
  }
  EXPECT_EQ(optimiser->steps(), (std::map<std::string, std::int64_t>{{"flat", 50}, {"image", 50 - late}}));
}

TEST(Optimiser, FactorsThatAreNotOneForEachParameterAreADefect) {
  EXPECT_THROW(make_optimiser(with(OptimiserKind::sgd, 0), some_parameters(), {1.0}), Error);
}

TEST(Optimiser, StateTakenOverGoesOnBitForBit) {
  const OptimiserConfig config = with(OptimiserKind::adam, 1e-3);
  const Named whole = some_parameters(), first = some_parameters(), second = some_parameters();
  const auto uninterrupted = make_optimiser(config, whole), before = make_optimiser(config, first),
             after = make_optimiser(config, second);
  const auto run = [](Optimiser& optimiser, const Named& parameters, int from, int to) {
    for (int step = from; step < to; ++step) {
      set_gradients(parameters, step);
      optimiser.step(0.01);
    }
  };
  run(*uninterrupted, whole, 0, 20);
  run(*before, first, 0, 9);
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < first.size(); ++i) at::Tensor(second[i].second).copy_(first[i].second);
  const auto from = before->state(), into = after->state();
  for (std::size_t i = 0; i < from.size(); ++i) at::Tensor(into[i].second).copy_(from[i].second);
  after->set_steps(before->steps());
  run(*after, second, 9, 20);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(whole[i].second.equal(second[i].second));
}

TEST(Optimiser, AParameterWithoutItsGradientIsADefect) {
  const Named parameters{{"p", at::zeros({3}).requires_grad_(true)}};
  try {
    make_optimiser(with(OptimiserKind::sgd, 0), parameters);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Exit::defect);
  }
}

}  // namespace
}  // namespace lockstep
