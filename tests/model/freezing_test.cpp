#include "lockstep/model/freezing.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "lockstep/core/error.hpp"
#include "lockstep/model/loss.hpp"
#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

std::shared_ptr<Model> network(ModelKind kind, std::int64_t side) {
  ModelConfig config;
  config.kind = kind;
  return make_model(config, {3, side, 4}, 0);
}

std::vector<ParameterEntry> some_parameters() {
  return {{"conv1.weight", 60, 4}, {"bn1.weight", 5, 1}, {"bn1.bias", 5, 1},   {"conv2.weight", 10, 4},
          {"bn2.weight", 2, 1},    {"bn2.bias", 2, 1},   {"fc.weight", 12, 2}, {"fc.bias", 4, 1}};
}
const std::vector<std::string> fc{"fc"};

FreezeConfig part(FreezeWhat what) { return {0, FreezeBy::modules, false, what, 0, {}}; }
FreezeConfig first(std::int64_t count, FreezeBy by) { return {0, by, false, FreezeWhat::first, count, {}}; }
FreezeConfig named(std::vector<std::string> patterns) {
  return {0, FreezeBy::modules, false, FreezeWhat::patterns, 0, std::move(patterns)};
}

std::string usage_fault(const std::function<void()>& make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Exit::usage);
    EXPECT_FALSE(error.hint().empty());
    return std::string(error.message()) + " / " + error.hint();
  }
  ADD_FAILURE() << "no error";
  return "";
}

struct PrefixCase {
  double fraction;
  FreezeBy by;
  std::size_t frozen;  // tensors, counted by hand
};

class Prefixes : public ::testing::TestWithParam<PrefixCase> {};

TEST_P(Prefixes, AreCountedByTheirUnit) {
  const auto [fraction, by, frozen] = GetParam();
  const TrainedPart part = plan_freezing(some_parameters(), fc, {fraction, by, false});
  EXPECT_EQ(part.frozen(), frozen);
  EXPECT_EQ(part.frozen_prefix(), frozen);
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
      EXPECT_EQ(plan_freezing(hundred, fc, {percent / 100.0, by, false}).frozen(), static_cast<std::size_t>(percent));
    }
  }
}

TEST(Freezing, AllOfItMeansAllButTheHead) {
  for (const FreezeBy by : {FreezeBy::tensors, FreezeBy::modules, FreezeBy::parameters})
    EXPECT_EQ(plan_freezing(some_parameters(), fc, {1, by, false}).frozen(), 6u);
  EXPECT_EQ(plan_freezing(some_parameters(), fc, part(FreezeWhat::all_but_head)).frozen_list(),
            "conv1, bn1, conv2, bn2");
}

TEST(Freezing, EverythingFrozenIsAnError) {
  for (const FreezeConfig& config : {first(8, FreezeBy::tensors), first(5, FreezeBy::modules),
                                     first(1000, FreezeBy::parameters), named({"*"}), named({"fc", "*n*"})})
    EXPECT_NE(usage_fault([&] { plan_freezing(some_parameters(), fc, config); }).find("nothing is left to train"),
              std::string::npos);
}

TEST(Freezing, TheFirstSoManyAreCountedByTheirUnit) {
  EXPECT_EQ(plan_freezing(some_parameters(), fc, first(0, FreezeBy::modules)).frozen(), 0u);
  EXPECT_EQ(plan_freezing(some_parameters(), fc, first(2, FreezeBy::modules)).frozen_list(), "conv1, bn1");
  EXPECT_EQ(plan_freezing(some_parameters(), fc, first(2, FreezeBy::tensors)).frozen_list(), "conv1, bn1.weight");
  EXPECT_EQ(plan_freezing(some_parameters(), fc, first(69, FreezeBy::parameters)).frozen_list(), "conv1, bn1.weight");
}

TEST(Freezing, NamesTakeModulesAndParametersByPattern) {
  const auto list = [](std::vector<std::string> patterns) {
    return plan_freezing(some_parameters(), fc, named(std::move(patterns))).frozen_list();
  };
  EXPECT_EQ(list({"bn1"}), "bn1");
  EXPECT_EQ(list({"bn*"}), "bn1, bn2");
  EXPECT_EQ(list({"*1", "fc.bias"}), "conv1, bn1, fc.bias");
  EXPECT_EQ(list({"*.weight"}), "conv1, bn1.weight, conv2, bn2.weight, fc.weight");
  EXPECT_EQ(list({"c*2"}), "conv2") << "not the tensors of conv1 or bn2";
  const auto model = network(ModelKind::resnet18, 32);
  const TrainedPart blocks = freeze(*model, named({"conv1", "layer1", "layer2.*.bn2"}));
  EXPECT_EQ(blocks.frozen_list(),
            "conv1, layer1.0.conv1, layer1.0.bn1, layer1.0.conv2, layer1.0.bn2, layer1.1.conv1, layer1.1.bn1, "
            "layer1.1.conv2, layer1.1.bn2, layer2.0.bn2, layer2.1.bn2");
  EXPECT_EQ(blocks.frozen_prefix(), 1u) << "bn1 is trained";
}

TEST(Freezing, ANameThatIsNoneIsAnErrorWithTheNearest) {
  const auto fault = [](std::vector<std::string> patterns) {
    return usage_fault([&] { plan_freezing(some_parameters(), fc, named(patterns)); });
  };
  EXPECT_EQ(
      fault({"bn1", "conv"}),
      "'conv' is the name of no module and no parameter of the network / did you mean conv1? Its parts are conv1, "
      "bn1, conv2, bn2, fc");
  EXPECT_NE(fault({"fc.wieght"}).find("did you mean fc.weight?"), std::string::npos);
  EXPECT_NE(fault({"features.*"}).find("/ its parts are conv1, "), std::string::npos);
  EXPECT_NE(fault({"onv1"}).find("'onv1'"), std::string::npos) << "a part of a name is not the name";
}

TEST(Freezing, TheHeadIsWhatIsFullyConnected) {
  // VGG's, SqueezeNet's and Inception's names: dense layers behind the convolutions, a convolution as head, a head
  // aside
  EXPECT_EQ(plan_freezing({{"features.0.weight", 9, 4},
                           {"features.0.bias", 1, 1},
                           {"classifier.0.weight", 9, 2},
                           {"classifier.0.bias", 1, 1},
                           {"classifier.6.weight", 9, 2},
                           {"classifier.6.bias", 1, 1}},
                          {"classifier.6"}, part(FreezeWhat::head))
                .frozen_list(),
            "classifier.0, classifier.6");
  EXPECT_EQ(plan_freezing({{"features.0.weight", 9, 4}, {"classifier.1.weight", 9, 4}, {"classifier.1.bias", 1, 1}},
                          {"classifier.1"}, part(FreezeWhat::head))
                .frozen_list(),
            "classifier.1");
  EXPECT_EQ(plan_freezing({{"AuxLogits.conv1.conv.weight", 9, 4},
                           {"AuxLogits.fc.weight", 9, 2},
                           {"Mixed_7c.conv.weight", 9, 4},
                           {"Mixed_7c.bn.weight", 3, 1},
                           {"fc.weight", 9, 2}},
                          {"AuxLogits.fc", "fc"}, part(FreezeWhat::head))
                .frozen_list(),
            "AuxLogits.fc, fc");
}

TEST(Freezing, TheHeadsOfTheZooAreWhatTorchvisionCallsThem) {
  const auto list = [](ModelKind kind, FreezeWhat what) {
    return freeze(*network(kind, 64), part(what)).frozen_list();
  };
  EXPECT_EQ(list(ModelKind::squeezenet1_1, FreezeWhat::head), "classifier.1");
  EXPECT_EQ(list(ModelKind::mobilenet_v3_small, FreezeWhat::head), "classifier.0, classifier.3");
  EXPECT_TRUE(list(ModelKind::squeezenet1_1, FreezeWhat::all_but_head).ends_with("features.12.expand3x3"));
  EXPECT_TRUE(list(ModelKind::mobilenet_v3_small, FreezeWhat::all_but_head).ends_with("classifier.0"));
}

ModelConfig config_of(std::map<std::string, std::string> options) {
  options["data"] = "d";
  return RunConfig::from(Options::from_values(Command::train, options)).model;
}

TEST(Freezing, TakesTorchvisionsModulesInTheirOrder) {
  const auto frozen_until = [](double fraction, FreezeBy by) {
    const auto model = make_model(config_of({{"model", "resnet50"}}), {3, 32, 10}, 0);
    const TrainedPart part = freeze(*model, {fraction, by, false});
    EXPECT_EQ(part.frozen(), part.frozen_prefix());
    const auto parameters = model->named_parameters();
    for (std::size_t i = 0; i < part.parameters.size(); ++i)
      EXPECT_EQ(parameters[part.parameters[i].name].requires_grad(), !part.parameters[i].frozen)
          << part.parameters[i].name;
    return part.parameters[part.frozen() - 1].name;
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
  ASSERT_GT(part.frozen(), 0u);
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : state_of(*model)) before[name] = tensor.clone();
  const auto found = gradients(*model, images, labels);
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].defined(), !part.parameters[i].frozen) << part.parameters[i].name;

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
                          {"filters", "8,16"}, {"dense", "12"}, {"freeze-fraction", "0.5"}, {"freeze-by", "tensors"}},
                      std::map<std::string, std::string>{{"filters", "8,16"}, {"dense", "12"}, {"freeze", "head"}},
                      std::map<std::string, std::string>{{"model", "resnet18"}, {"freeze", "layer2,layer3.1.*,fc"}}));

TEST(Freezing, AFrozenPrefixComputesAsInEvaluation) {
  // Freezing all but the head: training's logits are evaluation's.
  const auto model = make_model(config_of({{"model", "resnet18"}}), {3, 32, 4}, 3);
  freeze(*model, part(FreezeWhat::all_but_head));
  const at::Tensor images = at::sin(at::arange(2 * 3 * 32 * 32, at::kFloat)).view({2, 3, 32, 32});
  BatchContext training;
  training.training = true;
  training.global_samples = 2;
  training.ids = {0, 1};
  training.sum_over_ranks = [](at::Tensor&) { ADD_FAILURE() << "a frozen batch norm exchanged statistics"; };
  EXPECT_TRUE(model->forward(images, training).equal(model->forward(images, BatchContext{})));
}

TEST(Freezing, MayBeTakenBack) {
  const auto model = network(ModelKind::resnet18, 32);
  freeze(*model, part(FreezeWhat::all_but_head));
  freeze(*model, {});
  for (const at::Tensor& parameter : model->parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST(Freezing, AnUnfreezingMustNotFreeze) {
  const auto model = network(ModelKind::resnet18, 32);
  FreezeConfig config{0.5, FreezeBy::modules, false};
  config.unfreezings = {{2, 0.3}, {4, 0}};
  EXPECT_NO_THROW(require_only_unfreezing(*model, config));
  config.unfreezings = {{2, 0.3}, {3, 0.6}};
  EXPECT_NE(usage_fault([&] { require_only_unfreezing(*model, config); }).find("which was trained before epoch 3"),
            std::string::npos);
  config.what = FreezeWhat::head;
  config.unfreezings = {{5, 0.1}};
  EXPECT_NE(usage_fault([&] {
              require_only_unfreezing(*model, config);
            }).find("a first share of 0.1 freezes conv1.weight, which was trained before epoch 5"),
            std::string::npos);
  for (const at::Tensor& parameter : model->parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST(Freezing, AHeadThatStartsAnewIsNotFrozen) {
  PretrainedReport report;
  report.new_heads = {"fc"};
  EXPECT_NO_THROW(require_learnt(plan_freezing(some_parameters(), fc, part(FreezeWhat::all_but_head)), report));
  EXPECT_NO_THROW(require_learnt(plan_freezing(some_parameters(), fc, part(FreezeWhat::head)), {}));
  const std::string fault =
      usage_fault([&] { require_learnt(plan_freezing(some_parameters(), fc, part(FreezeWhat::head)), report); });
  EXPECT_NE(fault.find("fc.weight starts with random weights"), std::string::npos) << fault;
}

TEST(Freezing, IsDescribedInALineAndListed) {
  const TrainedPart prefix = plan_freezing(some_parameters(), fc, {0.6, FreezeBy::modules, false});
  EXPECT_EQ(prefix.description(),
            "frozen: conv1.weight … conv2.weight, 4 of 8 tensors in 3 of 5 modules, 80.00 % of 100 parameters; trained "
            "from bn2.weight on");
  EXPECT_EQ(prefix.frozen_list(), "conv1, bn1, conv2");
  EXPECT_EQ(plan_freezing(some_parameters(), fc, {0.65, FreezeBy::tensors, false}).frozen_list(),
            "conv1, bn1, conv2, bn2.weight");
  EXPECT_EQ(plan_freezing(some_parameters(), fc, {}).frozen_list(), "");
  EXPECT_EQ(plan_freezing(some_parameters(), fc, {}).description(), "all 8 parameter tensors are trained");
  EXPECT_EQ(plan_freezing(some_parameters(), fc, named({"bn1", "conv2", "fc.bias"})).description(),
            "frozen: bn1.weight … conv2.weight, fc.bias, 4 of 8 tensors in 3 of 5 modules, 24.00 % of 100 parameters");
  EXPECT_EQ(
      plan_freezing(some_parameters(), fc, named({"*.weight"})).description(),
      "frozen: conv1.weight … bn1.weight, conv2.weight … bn2.weight, fc.weight, 5 of 8 tensors in 5 of 5 modules, "
      "89.00 % of 100 parameters");
}

}  // namespace
}  // namespace lockstep
