#include "lockstep/model/custom_cnn.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

CustomCnnConfig config_of(std::map<std::string, std::string> values) {
  values["data"] = "d";
  return RunConfig::from(Options::from_values(Command::train, values)).model.custom;
}

std::int64_t parameter_count(const Model& model) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : model.parameters()) count += parameter.numel();
  return count;
}

struct CnnCase {
  std::map<std::string, std::string> options;
  ModelInput input;
};

class CustomCnns : public ::testing::TestWithParam<CnnCase> {};

TEST_P(CustomCnns, HaveTheShapesAndParametersOfTheirSummary) {
  const auto [options, input] = GetParam();
  const CustomCnnConfig config = config_of(options);
  const auto model = make_custom_cnn(config, {}, input, 1);
  const auto summary = summarise_custom_cnn(config, input);
  std::int64_t parameters = 0;
  for (const LayerSummary& layer : summary) parameters += layer.parameters;
  EXPECT_EQ(parameter_count(*model), parameters);
  EXPECT_EQ(summary.back().output, (std::vector<std::int64_t>{input.classes}));
  const at::Tensor images =
      at::zeros({3, input.channels, input.side, input.side}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(model->forward(images, BatchContext{}).sizes(), (at::IntArrayRef{3, input.classes}));
  EXPECT_EQ(model->forward(images.slice(0, 0, 0), BatchContext{}).sizes(), (at::IntArrayRef{0, input.classes}));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, CustomCnns,
    ::testing::Values(
        CnnCase{{{"filters", "32,32,32,32,32"}, {"kernels", "3,5,7,9,11"}, {"activation", "gelu"}}, {3, 64, 10}},
        CnnCase{{{"filters", "32,64,128,256,512"}, {"activation", "mish"}, {"dropout-conv", "0.2"}}, {3, 32, 10}},
        CnnCase{{{"filters", "4"}, {"dense", "8,6,4"}, {"batch-norm", "false"}}, {1, 28, 3}},
        CnnCase{{{"filters", "4,8"}, {"activation", "relu,gelu,silu"}, {"dense", "16"}}, {1, 5, 2}}));

TEST(CustomCnn, ReferenceNetworkCountsAsByHand) {
  // [32,64,128,256,512] at 224 px, dense 256, 10 outputs, batch norm: conv 864+18432+73728+294912+1179648, norms 2·992,
  // dense 512·7·7·256, its norm 512, output 2570.
  const auto summary = summarise_custom_cnn(config_of({}), {3, 224, 10});
  std::int64_t parameters = 0, flops = 0;
  for (const LayerSummary& layer : summary) {
    parameters += layer.parameters;
    flops += layer.flops;
  }
  EXPECT_EQ(parameters, 864 + 18432 + 73728 + 294912 + 1179648 + 2 * 992 + 512 * 49 * 256 + 512 + 2570);
  EXPECT_NEAR(static_cast<double>(flops) / 1e9, 1.94, 0.01);
}

TEST(CustomCnn, TooSmallAnImageNamesTheLayerAndTheSmallestSide) {
  try {
    summarise_custom_cnn(config_of({}), {3, 28, 10});
    FAIL() << "28 pixels went through five pools";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("conv5"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("at least 32"), std::string::npos) << error.hint();
    EXPECT_EQ(error.exit_code(), Exit::usage);
  }
}

TEST(CustomCnn, InitialWeightsFollowTheSeedAndTorchsBound) {
  const CustomCnnConfig config = config_of({{"filters", "16,32"}});
  const auto a = make_custom_cnn(config, {}, {3, 16, 10}, 1), b = make_custom_cnn(config, {}, {3, 16, 10}, 1),
             c = make_custom_cnn(config, {}, {3, 16, 10}, 2);
  const at::Tensor first = a->named_parameters()["conv2.weight"];
  EXPECT_TRUE(first.equal(b->named_parameters()["conv2.weight"]));
  EXPECT_FALSE(first.equal(c->named_parameters()["conv2.weight"]));
  const double bound = 1 / std::sqrt(16.0 * 9);
  EXPECT_LE(first.abs().max().item<double>(), bound);
  EXPECT_NEAR(first.std().item<double>(), bound / std::sqrt(3.0), bound * 0.02);
}

}  // namespace
}  // namespace lockstep
