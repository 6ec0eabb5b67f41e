#include "lockstep/model/freezing.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/model/loss.hpp"
#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

std::vector<ParameterEntry> some_parameters() {
  return {{"conv1.weight", 60}, {"bn1.weight", 5}, {"bn1.bias", 5},   {"conv2.weight", 10},
          {"bn2.weight", 2},    {"bn2.bias", 2},   {"fc.weight", 12}, {"fc.bias", 4}};
}

struct PrefixCase {
  double fraction;
  FreezeBy by;
  std::size_t frozen;  // tensors, counted by hand
};

class Prefixes : public ::testing::TestWithParam<PrefixCase> {};

TEST_P(Prefixes, AreCountedByTheirUnit) {
  const auto [fraction, by, frozen] = GetParam();
  EXPECT_EQ(plan_freezing(some_parameters(), {fraction, by, false}).frozen, frozen);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Prefixes,
    ::testing::Values(PrefixCase{0, FreezeBy::modules, 0}, PrefixCase{0.19, FreezeBy::modules, 0},
                      PrefixCase{0.2, FreezeBy::modules, 1}, PrefixCase{0.4, FreezeBy::modules, 3},
                      PrefixCase{0.6, FreezeBy::modules, 4}, PrefixCase{0.99, FreezeBy::modules, 6},
                      PrefixCase{0.25, FreezeBy::tensors, 2}, PrefixCase{0.5, FreezeBy::tensors, 4},
                      PrefixCase{0.99, FreezeBy::tensors, 7}, PrefixCase{0.59, FreezeBy::parameters, 0},
                      PrefixCase{0.6, FreezeBy::parameters, 1}, PrefixCase{0.69, FreezeBy::parameters, 2},
                      PrefixCase{0.7, FreezeBy::parameters, 3}, PrefixCase{0.95, FreezeBy::parameters, 6},
                      PrefixCase{0.97, FreezeBy::parameters, 7}));

TEST(Freezing, FractionsMeanWhatTheySay) {
  std::vector<ParameterEntry> hundred;
  for (int i = 0; i < 100; ++i) hundred.push_back({"layer" + std::to_string(i) + ".weight", 1});
  for (int percent = 0; percent < 100; ++percent) {
    for (const FreezeBy by : {FreezeBy::tensors, FreezeBy::modules, FreezeBy::parameters}) {
      EXPECT_EQ(plan_freezing(hundred, {percent / 100.0, by, false}).frozen, static_cast<std::size_t>(percent));
    }
  }
}

TEST(Freezing, EverythingFrozenIsAnError) {
  for (const FreezeBy by : {FreezeBy::tensors, FreezeBy::modules, FreezeBy::parameters}) {
    try {
      plan_freezing(some_parameters(), {1, by, false});
      ADD_FAILURE() << "nothing is trained";
    } catch (const Error& error) {
      EXPECT_NE(error.message().find("nothing is left to train"), std::string::npos) << error.what();
      EXPECT_EQ(error.exit_code(), Exit::usage);
    }
  }
}

ModelConfig config_of(std::map<std::string, std::string> options) {
  options["data"] = "d";
  return RunConfig::from(Options::from_values(Command::train, options)).model;
}

TEST(Freezing, TakesTorchvisionsModulesInTheirOrder) {
  const auto frozen_until = [](double fraction, FreezeBy by) {
    const auto model = make_model(config_of({{"model", "resnet50"}}), {3, 32, 10}, 0);
    const TrainedPart part = freeze(*model, {fraction, by, false});
    const auto parameters = model->named_parameters();
    for (std::size_t i = 0; i < part.parameters.size(); ++i)
      EXPECT_EQ(parameters[part.parameters[i].name].requires_grad(), i >= part.frozen) << part.parameters[i].name;
    return part.parameters[part.frozen - 1].name;
  };
  // 107 modules: conv1, bn1, then layer1 with 3·6 + 2 = 20, layer2 with 4·6 + 2 = 26, layer3 38, layer4 20, fc.
  EXPECT_EQ(frozen_until(22.0 / 107, FreezeBy::modules), "layer1.2.bn3.bias");
  EXPECT_EQ(frozen_until(0.3, FreezeBy::modules), "layer2.1.bn1.bias");      // 32: layer1, 8 of layer2.0, 2 of layer2.1
  EXPECT_EQ(frozen_until(0.5, FreezeBy::modules), "layer3.0.conv3.weight");  // 53: 48, then 5 of layer3.0
  EXPECT_EQ(frozen_until(106.0 / 107, FreezeBy::modules), "layer4.2.bn3.bias");
  EXPECT_EQ(frozen_until(159.0 / 161, FreezeBy::tensors), "layer4.2.bn3.bias");
}

/// Gradients of all parameters after one backward pass; undefined where there is none.
std::vector<at::Tensor> gradients(Model& model, const at::Tensor& images, const at::Tensor& labels) {
  BatchContext context;
  context.training = true;
  context.global_samples = images.size(0);
  for (std::int64_t i = 0; i < images.size(0); ++i) context.ids.push_back(i);
  cross_entropy_sum(model.forward(images, context), labels, 0).backward();
  std::vector<at::Tensor> all;
  for (const at::Tensor& parameter : model.parameters()) all.push_back(parameter.grad());
  return all;
}

class FrozenNetworks : public ::testing::TestWithParam<std::map<std::string, std::string>> {};

TEST_P(FrozenNetworks, LeaveTheirFrozenPartAlone) {
  const ModelConfig config = config_of(GetParam());
  const auto model = make_model(config, {3, 32, 4}, 3);
  const at::Tensor images = at::sin(at::arange(4 * 3 * 32 * 32, at::kFloat) * 0.7).view({4, 3, 32, 32});
  const at::Tensor labels = at::arange(4, at::kLong);
  {  // running statistics that are not those of the batch, so that using the wrong ones shows
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : state_of(*model)) {
      if (name.ends_with("running_mean")) at::Tensor(tensor).add_(0.1);
      if (name.ends_with("running_var")) at::Tensor(tensor).mul_(1.7);
    }
  }
  const TrainedPart part = freeze(*model, config.freeze);
  ASSERT_GT(part.frozen, 0u);
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : state_of(*model)) before[name] = tensor.clone();
  const auto found = gradients(*model, images, labels);
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].defined(), i >= part.frozen) << part.parameters[i].name;

  std::size_t kept = 0, updated = 0;
  const auto parameters = model->named_parameters();
  for (const auto& [name, tensor] : state_of(*model)) {
    if (!name.ends_with("running_mean")) continue;
    const std::string layer = name.substr(0, name.rfind('.'));
    const bool frozen = !parameters[layer + ".weight"].requires_grad() && !parameters[layer + ".bias"].requires_grad();
    EXPECT_EQ(tensor.equal(before[name]), frozen) << name;
    ++(frozen ? kept : updated);
  }
  EXPECT_GT(kept, 0u);
  EXPECT_GT(updated, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, FrozenNetworks,
    ::testing::Values(std::map<std::string, std::string>{{"model", "resnet18"}, {"freeze-fraction", "0.5"}},
                      std::map<std::string, std::string>{
                          {"model", "resnet50"}, {"freeze-fraction", "0.3"}, {"freeze-by", "parameters"}},
                      std::map<std::string, std::string>{
                          {"filters", "8,16"}, {"dense", "12"}, {"freeze-fraction", "0.5"}, {"freeze-by", "tensors"}}));

TEST(Freezing, AFrozenPrefixComputesAsInEvaluation) {
  // Freezing all but the head: training's logits are evaluation's.
  const auto model = make_model(config_of({{"model", "resnet18"}}), {3, 32, 4}, 3);
  freeze(*model, {0.99, FreezeBy::modules, false});
  const at::Tensor images = at::sin(at::arange(2 * 3 * 32 * 32, at::kFloat)).view({2, 3, 32, 32});
  BatchContext training;
  training.training = true;
  training.global_samples = 2;
  training.ids = {0, 1};
  training.sum_over_ranks = [](at::Tensor&) { ADD_FAILURE() << "a frozen batch norm exchanged statistics"; };
  EXPECT_TRUE(model->forward(images, training).equal(model->forward(images, BatchContext{})));
}

TEST(Freezing, IsDescribedInALineAndListed) {
  const TrainedPart part = plan_freezing(some_parameters(), {0.6, FreezeBy::modules, false});
  EXPECT_EQ(part.description(),
            "frozen: conv1.weight … conv2.weight, 4 of 8 tensors in 3 of 5 modules, 80.00 % of 100 parameters; trained "
            "from bn2.weight on");
  EXPECT_EQ(part.frozen_list(), "conv1, bn1, conv2");
  EXPECT_EQ(plan_freezing(some_parameters(), {0.65, FreezeBy::tensors, false}).frozen_list(),
            "conv1, bn1, conv2, bn2.weight");
  EXPECT_EQ(plan_freezing(some_parameters(), {}).frozen_list(), "");
  EXPECT_EQ(plan_freezing(some_parameters(), {}).description(), "all 8 parameter tensors are trained");
}

}  // namespace
}  // namespace lockstep
