#include "lockstep/model/learning_rates.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "lockstep/model/freezing.hpp"
#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

OptimiserConfig rates(double lr, double head_lr, double layer_decay) {
  OptimiserConfig config;
  config.lr = lr;
  config.head_lr = head_lr;
  config.layer_decay = layer_decay;
  return config;
}

std::map<std::string, double> factors_of(const Model& model, const OptimiserConfig& config) {
  std::vector<std::string> names;
  for (const auto& item : model.named_parameters()) {
    if (item.value().requires_grad()) names.push_back(item.key());
  }
  const std::vector<double> factors = learning_rate_factors(model, config, names);
  std::map<std::string, double> by_name;
  for (std::size_t i = 0; i < names.size(); ++i) by_name[names[i]] = factors[i];
  return by_name;
}

std::shared_ptr<Model> resnet18() {
  ModelConfig config;
  config.kind = ModelKind::resnet18;
  return make_model(config, {3, 32, 4}, 0);
}

TEST(LearningRates, AreAllOneUnlessSaid) {
  for (const auto& [name, factor] : factors_of(*resnet18(), rates(0.1, 0, 1))) EXPECT_EQ(factor, 1) << name;
}

TEST(LearningRates, TheHeadHasItsOwn) {
  for (const auto& [name, factor] : factors_of(*resnet18(), rates(0.01, 0.1, 1)))
    EXPECT_DOUBLE_EQ(factor, name.starts_with("fc.") ? 10 : 1) << name;
}

TEST(LearningRates, FallWithTheStagesThatStandBehind) {
  const auto factors = factors_of(*resnet18(), rates(0.01, 0, 0.5));
  EXPECT_EQ(factors.at("fc.bias"), 1);
  EXPECT_EQ(factors.at("layer4.1.bn2.weight"), 0.5);
  EXPECT_EQ(factors.at("layer4.0.downsample.0.weight"), 0.25);
  EXPECT_EQ(factors.at("layer1.0.conv1.weight"), std::pow(0.5, 8));
  EXPECT_EQ(factors.at("conv1.weight"), std::pow(0.5, 9)) << "ten stages";
  EXPECT_EQ(factors.at("bn1.weight"), std::pow(0.5, 9)) << "of the same stage";
  const auto both = factors_of(*resnet18(), rates(0.01, 0.02, 0.5));
  EXPECT_EQ(both.at("fc.weight"), 2);
  EXPECT_EQ(both.at("layer4.1.bn2.weight"), 0.5);
}

TEST(LearningRates, DontChangeWhenMoreIsUnfrozen) {
  const auto model = resnet18();
  freeze(*model, {0.5, FreezeBy::modules, false});
  const auto before = factors_of(*model, rates(0.01, 0.1, 0.7));
  freeze(*model, {});
  const auto after = factors_of(*model, rates(0.01, 0.1, 0.7));
  ASSERT_LT(before.size(), after.size());
  for (const auto& [name, factor] : before) EXPECT_EQ(after.at(name), factor) << name;
}

TEST(LearningRates, StagesThatAreFrozenDoNotCount) {
  const auto model = resnet18();
  FreezeConfig freezing;
  freezing.what = FreezeWhat::patterns;
  freezing.patterns = {"layer2", "layer4", "layer1.0.conv1"};
  freeze(*model, freezing);
  const auto factors = factors_of(*model, rates(0.01, 0, 0.5));
  EXPECT_EQ(factors.at("layer3.1.conv1.weight"), 0.5) << "fc alone is trained behind it";
  EXPECT_EQ(factors.at("layer1.0.conv2.weight"), std::pow(0.5, 4)) << "layer1.1, layer3 and fc";
}

TEST(LearningRates, AreSaidInALine) {
  const auto model = resnet18();
  EXPECT_EQ(describe_learning_rates(*model, rates(1e-4, 1e-3, 1)), "learning rates: conv1 … layer4.1 0.0001, fc 0.001");
  freeze(*model, {0.8, FreezeBy::modules, false});
  EXPECT_EQ(describe_learning_rates(*model, rates(0.01, 0, 0.5)),
            "learning rates: layer4.0 0.0025, layer4.1 0.005, fc 0.01");
}

}  // namespace
}  // namespace lockstep
