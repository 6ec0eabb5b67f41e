#include "lockstep/model/pretrained.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "lockstep/core/error.hpp"
#include "lockstep/model/make_model.hpp"

namespace lockstep {
namespace {

std::shared_ptr<Model> resnet18(const ModelInput& input, std::uint64_t seed) {
  ModelConfig config;
  config.kind = ModelKind::resnet18;
  return make_model(config, input, seed);
}

WeightFile weights_of(const Model& model) {
  WeightFile weights;
  for (const auto& [name, tensor] : state_of(model)) weights.tensors.emplace_back(name, tensor.detach().clone());
  return weights;
}

at::Tensor tensor_of(const Model& model, const std::string& name) {
  for (const auto& [key, tensor] : state_of(model)) {
    if (key == name) return tensor;
  }
  throw defect("no such tensor", name);
}

std::string fault(const WeightFile& weights, Model& model) {
  const WeightFile before = weights_of(model);
  try {
    start_from(weights, model, "some.safetensors");
  } catch (const Error& error) {
    EXPECT_FALSE(error.hint().empty());
    for (const auto& [name, tensor] : before.tensors) EXPECT_TRUE(tensor.equal(tensor_of(model, name))) << name;
    return error.what();
  }
  ADD_FAILURE() << "the weights were taken";
  return "";
}

TEST(Pretrained, EveryTensorComesFromTheFile) {
  const auto from = resnet18({3, 32, 10}, 1), into = resnet18({3, 64, 10}, 2);
  const PretrainedReport report = start_from(weights_of(*from), *into, "w");
  EXPECT_EQ(report.loaded, 62u + 3 * 20u);
  EXPECT_TRUE(report.new_heads.empty());
  for (const auto& [name, tensor] : state_of(*from)) EXPECT_TRUE(tensor.equal(tensor_of(*into, name))) << name;
}

TEST(Pretrained, AnotherNumberOfClassesGetsANewHeadAndNothingElse) {
  const auto from = resnet18({3, 32, 1000}, 1), into = resnet18({3, 32, 10}, 2), untouched = resnet18({3, 32, 10}, 2);
  const PretrainedReport report = start_from(weights_of(*from), *into, "w");
  EXPECT_EQ(report.new_heads, std::vector<std::string>{"fc"});
  EXPECT_EQ(report.file_classes, 1000);
  EXPECT_EQ(report.classes, 10);
  for (const auto& [name, tensor] : state_of(*into)) {
    const bool head = name.starts_with("fc.");
    EXPECT_TRUE(tensor.equal(tensor_of(head ? *untouched : *from, name))) << name;
  }
  EXPECT_NE(describe(report, "w").find("the head fc starts anew: 1000 classes in the file, 10 in the data set"),
            std::string::npos);
}

TEST(Pretrained, CountersMayBeAbsentOrFloats) {
  const auto from = resnet18({3, 32, 4}, 1), into = resnet18({3, 32, 4}, 2);
  WeightFile weights = weights_of(*from);
  std::erase_if(weights.tensors, [](const auto& pair) { return pair.first == "bn1.num_batches_tracked"; });
  for (auto& [name, tensor] : weights.tensors) {
    if (name == "layer1.0.bn1.num_batches_tracked") tensor = at::full({}, 7.0f);
    if (name == "conv1.weight") tensor = tensor.to(at::kDouble);
  }
  start_from(weights, *into, "w");
  EXPECT_EQ(tensor_of(*into, "layer1.0.bn1.num_batches_tracked").item<std::int64_t>(), 7);
  EXPECT_TRUE(tensor_of(*into, "conv1.weight").equal(tensor_of(*from, "conv1.weight")));
}

TEST(Pretrained, FaultsAreListedByKindAndCutWithTheirCount) {
  ModelConfig config;
  config.kind = ModelKind::resnet50;
  const auto deep = make_model(config, {3, 32, 10}, 1);
  const auto model = resnet18({3, 32, 10}, 2);
  const std::string text = fault(weights_of(*deep), *model);
  EXPECT_NE(text.find("not in the model: layer1.0.bn3.bias"), std::string::npos) << text;
  EXPECT_NE(text.find("layer1.0.conv1.weight is [64, 64, 1, 1], the model's [64, 64, 3, 3]"), std::string::npos)
      << text;
  EXPECT_NE(text.find(" in all)"), std::string::npos) << text;
  EXPECT_LT(text.size(), 1200u);
  WeightFile renamed = weights_of(*model);
  renamed.tensors[0].first = "module.conv1.weight";
  const std::string name_fault = fault(renamed, *model);
  EXPECT_NE(name_fault.find("missing: conv1.weight; not in the model: module.conv1.weight"), std::string::npos)
      << name_fault;
}

TEST(Pretrained, AHeadOfOtherFeaturesIsAnotherModel) {
  const auto model = resnet18({3, 32, 10}, 2);
  WeightFile weights = weights_of(*model);
  for (auto& [name, tensor] : weights.tensors) {
    if (name == "fc.weight") tensor = at::zeros({7, 2048});
    if (name == "fc.bias") tensor = at::zeros({7});
  }
  EXPECT_NE(fault(weights, *model).find("fc.weight is [7, 2048], the model's [10, 512]"), std::string::npos);
}

TEST(Pretrained, AFirstLayerForColourIsSummedForGreyImages) {
  const auto colour = resnet18({3, 32, 10}, 1), grey = resnet18({1, 32, 10}, 2);
  const PretrainedReport report = start_from(weights_of(*colour), *grey, "w");
  EXPECT_EQ(report.summed_channels, 3);
  EXPECT_TRUE(tensor_of(*grey, "conv1.weight").equal(tensor_of(*colour, "conv1.weight").sum(1, true)));
  EXPECT_NE(describe(report, "w").find("3 channels are summed"), std::string::npos);
  const at::Tensor images = at::rand({2, 1, 32, 32});
  const BatchContext context;
  const at::Tensor from_grey = grey->forward(images, context);
  EXPECT_TRUE(at::allclose(from_grey, colour->forward(images.expand({2, 3, 32, 32}), context), 1e-4, 1e-5));
}

TEST(Pretrained, AFirstLayerForGreyDoesNotServeColour) {
  const auto colour = resnet18({3, 32, 10}, 1), grey = resnet18({1, 32, 10}, 2);
  const std::string text = fault(weights_of(*grey), *colour);
  EXPECT_NE(text.find("for images of 1 channel, the data set's have 3"), std::string::npos) << text;
  EXPECT_NE(text.find("--channels 1"), std::string::npos) << text;
}

TEST(Pretrained, ATrunkStartsAHeadOfItsOwn) {
  const auto from = resnet18({3, 32, 10}, 1), into = resnet18({3, 32, 10}, 2), untouched = resnet18({3, 32, 10}, 2);
  WeightFile trunk = weights_of(*from);
  std::erase_if(trunk.tensors, [](const auto& pair) { return pair.first.starts_with("fc."); });
  trunk.notes = {"a note of the reader"};
  const PretrainedReport report = start_from(trunk, *into, "w");
  EXPECT_EQ(report.absent, std::vector<std::string>{"fc"});
  EXPECT_EQ(report.loaded, 60u + 3 * 20u);
  EXPECT_TRUE(report.starts_anew("fc.weight"));
  for (const auto& [name, tensor] : state_of(*into))
    EXPECT_TRUE(tensor.equal(tensor_of(name.starts_with("fc.") ? *untouched : *from, name))) << name;
  const std::string text = describe(report, "w");
  EXPECT_NE(text.find("not in the file, so starting anew: fc"), std::string::npos) << text;
  EXPECT_NE(text.find("a note of the reader"), std::string::npos) << text;
}

TEST(Pretrained, HalfAHeadAndAHalfTrunkAreFaults) {
  const auto from = resnet18({3, 32, 10}, 1), into = resnet18({3, 32, 10}, 2);
  for (const std::string missing : {"fc.bias", "layer4.1.conv2.weight"}) {
    WeightFile weights = weights_of(*from);
    std::erase_if(weights.tensors, [&](const auto& pair) { return pair.first == missing; });
    EXPECT_NE(fault(weights, *into).find("missing: " + missing), std::string::npos);
  }
}

TEST(Pretrained, WeightsThatAreNotNumbersAreNamed) {
  const auto from = resnet18({3, 32, 10}, 1), into = resnet18({3, 32, 10}, 2);
  WeightFile weights = weights_of(*from);
  for (auto& [name, tensor] : weights.tensors) {
    if (name == "layer2.0.conv1.weight") tensor.data_ptr<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_NE(fault(weights, *into).find("tensor layer2.0.conv1.weight has 1 values that are NaN"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
