#include "lockstep/model/resnet.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "lockstep/core/error.hpp"
#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

struct Totals {
  std::int64_t parameters = 0, flops = 0;
};

Totals totals_of(const std::vector<LayerSummary>& layers) {
  Totals totals;
  for (const LayerSummary& layer : layers) {
    totals.parameters += layer.parameters;
    totals.flops += layer.flops;
  }
  return totals;
}

ModelConfig config_of(ModelKind kind) {
  ModelConfig config;
  config.kind = kind;
  return config;
}

struct Published {
  ModelKind kind;
  std::int64_t parameters;  // torchvision's documentation of the ImageNet models
  double giga_multiplications;
  std::size_t tensors, modules;
};

class ResNets : public ::testing::TestWithParam<Published> {};

TEST_P(ResNets, HaveThePublishedSize) {
  const Totals totals = totals_of(summarise_resnet(GetParam().kind, {3, 224, 1000}));
  EXPECT_EQ(totals.parameters, GetParam().parameters);
  EXPECT_NEAR(static_cast<double>(totals.flops) / 2e9, GetParam().giga_multiplications, 0.01);
}

TEST_P(ResNets, AreWhatTheirSummarySays) {
  for (const ModelInput input : {ModelInput{3, 64, 10}, ModelInput{1, 28, 3}, ModelInput{3, 17, 2}}) {
    const auto layers = summarise_resnet(GetParam().kind, input);
    const auto model = make_model(config_of(GetParam().kind), input, 1);
    std::int64_t count = 0;
    for (const at::Tensor& parameter : model->parameters()) count += parameter.numel();
    EXPECT_EQ(count, totals_of(layers).parameters);
    EXPECT_EQ(model->parameters().size(), GetParam().tensors);
    const at::Tensor images = at::zeros({2, input.channels, input.side, input.side});
    EXPECT_EQ(model->forward(images, BatchContext{}).sizes(), (at::IntArrayRef{2, input.classes}));
    EXPECT_EQ(model->forward(images.slice(0, 0, 0), BatchContext{}).sizes(), (at::IntArrayRef{0, input.classes}));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ResNets,
                         ::testing::Values(Published{ModelKind::resnet18, 11689512, 1.81, 62, 41},
                                           Published{ModelKind::resnet34, 21797672, 3.66, 110, 73},
                                           Published{ModelKind::resnet50, 25557032, 4.09, 161, 107}));

TEST(ResNet, InitialWeightsFollowTheSeedAndTorchvisionsDistributions) {
  const ModelInput input{3, 32, 10};
  const auto a = make_model(config_of(ModelKind::resnet18), input, 1),
             b = make_model(config_of(ModelKind::resnet18), input, 1),
             c = make_model(config_of(ModelKind::resnet18), input, 2);
  const auto weight = [](const Model& model, const std::string& name) { return model.named_parameters()[name]; };
  const std::string name = "layer4.0.conv2.weight";
  const at::Tensor conv = weight(*a, name);
  EXPECT_TRUE(conv.equal(weight(*b, name)));
  EXPECT_FALSE(conv.equal(weight(*c, name)));
  EXPECT_FALSE(conv.equal(weight(*a, "layer4.1.conv2.weight"))) << "layers share their draws";
  const double deviation = std::sqrt(2.0 / (512 * 9));
  EXPECT_NEAR(conv.std().item<double>() / deviation, 1, 0.002);  // 2.4 million draws
  EXPECT_NEAR(conv.mean().item<double>() / deviation, 0, 0.003);
  const at::Tensor z = conv.to(at::kDouble) / deviation;
  EXPECT_NEAR(z.pow(4).mean().item<double>(), 3, 0.03) << "not a normal distribution";
  EXPECT_NEAR(z.abs().le(1.959964).to(at::kDouble).mean().item<double>(), 0.95, 0.001);
  const double bound = 1 / std::sqrt(512.0);
  for (const auto* head : {"fc.weight", "fc.bias"}) EXPECT_LE(weight(*a, head).abs().max().item<double>(), bound);
  EXPECT_NEAR(weight(*a, "fc.weight").std().item<double>(), bound / std::sqrt(3.0), bound * 0.02);
  EXPECT_TRUE(weight(*a, "bn1.weight").eq(1).all().item<bool>());
  EXPECT_TRUE(weight(*a, "bn1.bias").eq(0).all().item<bool>());
}

TEST(ResNet, TheTableOfLayersIsAligned) {
  const std::string table = format_summary(summarise_resnet(ModelKind::resnet50, {3, 224, 10}));
  std::set<std::size_t> widths;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::erase_if(line, [](char byte) { return (byte & 0xC0) == 0x80; });  // a character's further bytes
    widths.insert(line.size());
  }
  EXPECT_EQ(widths.size(), 1u) << table;
  EXPECT_NE(table.find("layer3.5"), std::string::npos) << table;
}

TEST(ResNet, TooSmallAnImageNamesTheSmallestSide) {
  try {
    make_model(config_of(ModelKind::resnet50), {3, 16, 10}, 1);
    FAIL() << "16 pixels were halved five times";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("resnet50"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("at least 17"), std::string::npos) << error.hint();
    EXPECT_EQ(error.exit_code(), Exit::usage);
  }
}

}  // namespace
}  // namespace lockstep
