// A network's stages: what a frozen prefix that runs once relies on.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lockstep/config/options.hpp"
#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

using Values = std::map<std::string, std::string>;

std::shared_ptr<Model> network(Values options, const ModelInput& input) {
  options["data"] = "d";
  return make_model(RunConfig::from(Options::from_values(Command::train, options)).model, input, 7);
}

at::Tensor images_for(const ModelInput& input, std::int64_t samples) {
  const std::int64_t count = samples * input.channels * input.side * input.side;
  return at::sin(at::arange(count, at::kFloat) * 0.7).view({samples, input.channels, input.side, input.side});
}

BatchContext training(std::int64_t samples) {
  BatchContext context;
  context.training = true;
  context.step = 3;
  context.global_samples = samples;
  for (std::int64_t i = 0; i < samples; ++i) context.ids.push_back(i);
  return context;
}

struct Case {
  Values options;
  ModelInput input;
  std::size_t stages;
};

class Stages : public ::testing::TestWithParam<Case> {};

TEST_P(Stages, OwnEveryParameterOnceInOrder) {
  const auto model = network(GetParam().options, GetParam().input);
  EXPECT_EQ(model->stages().size(), GetParam().stages);
  std::size_t stage = 0;
  for (const auto& [name, tensor] : model->named_parameters().pairs()) {
    while (stage < model->stages().size() && !model->stages()[stage].owns(name)) ++stage;
    ASSERT_LT(stage, model->stages().size()) << name << " is nobody's, or out of order";
    for (std::size_t other = 0; other < model->stages().size(); ++other)
      EXPECT_EQ(model->stages()[other].owns(name), other == stage) << name;
  }
}

TEST_P(Stages, CutAnywhereGiveTheSameLogits) {
  const at::NoGradGuard no_grad;
  const auto model = network(GetParam().options, GetParam().input);
  const at::Tensor images = images_for(GetParam().input, 3);
  const std::size_t count = model->stages().size();
  for (const BatchContext& context : {BatchContext{}, training(3)}) {
    const at::Tensor whole = model->forward(images, context);
    for (std::size_t cut = 0; cut <= count; ++cut) {
      const at::Tensor between = model->forward_stages(images, context, 0, cut), before = between.clone();
      EXPECT_TRUE(model->forward_stages(between, context, cut, count).equal(whole)) << "cut " << cut;
      EXPECT_TRUE(between.equal(before)) << "stage " << cut << " changed its input";
    }
  }
}

TEST_P(Stages, DifferFromStepToStepOnlyWhereTheySaySo) {
  const at::NoGradGuard no_grad;
  const auto model = network(GetParam().options, GetParam().input);
  BatchContext one = training(3), other = training(3);
  other.step = one.step + 1;
  at::Tensor x = images_for(GetParam().input, 3);
  for (const Stage& stage : model->stages()) {
    const at::Tensor y = stage.forward(x, one);
    EXPECT_EQ(stage.forward(x, other).equal(y), !stage.drops) << stage.name;
    x = y;
  }
}

TEST_P(Stages, EndWithTheHead) {
  const auto model = network(GetParam().options, GetParam().input);
  const std::string head = model->heads().back();
  EXPECT_TRUE(model->stages().back().owns(head + ".weight"));
  EXPECT_EQ(model->named_parameters()[head + ".weight"].size(0), GetParam().input.classes);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Stages,
    ::testing::Values(
        Case{{{"model", "resnet18"}}, {3, 32, 5}, 10}, Case{{{"model", "resnet50"}}, {1, 17, 2}, 18},
        Case{{{"filters", "8,16"}, {"dense", "12"}, {"batch-norm", "false"}}, {3, 16, 4}, 4},
        Case{
            {{"filters", "4,8"}, {"dense", "12,6"}, {"dropout-conv", "0.3"}, {"dropout-dense", "0.2,0"}}, {1, 9, 3}, 5},
        Case{{{"model", "squeezenet1_1"}}, {3, 33, 5}, 10}, Case{{{"model", "mobilenet_v3_small"}}, {1, 32, 3}, 15},
        Case{{{"model", "xception"}}, {3, 40, 4}, 17}, Case{{{"model", "inception_v3"}}, {3, 75, 2}, 17}));

TEST(Stages, TellModulesWithACommonBeginningApart) {
  const Stage stage{"layer1.1", {"layer1.1"}, {}, false};
  EXPECT_TRUE(stage.owns("layer1.1.conv1.weight"));
  EXPECT_FALSE(stage.owns("layer1.10.conv1.weight"));
  EXPECT_FALSE(stage.owns("layer1.1"));
}

}  // namespace
}  // namespace lockstep
