// The networks that --model names: sizes, smallest images, stages, initial weights. That they compute what
// torchvision's do is shown by tests/system/zoo_reference_test.py.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <sstream>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/model/pretrained.hpp"

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
  std::int64_t parameters;  // torchvision's documentation of the ImageNet models; Xception: timm's model
  double giga_multiplications;
  std::size_t tensors, modules;  // counted in Python
  std::int64_t smallest;
};

const Published published[] = {
    {ModelKind::resnet18, 11689512, 1.814, 62, 41, 17},
    {ModelKind::resnet34, 21797672, 3.664, 110, 73, 17},
    {ModelKind::resnet50, 25557032, 4.089, 161, 107, 17},
    {ModelKind::resnet101, 44549160, 7.801, 314, 209, 17},
    {ModelKind::resnet152, 60192808, 11.514, 467, 311, 17},
    {ModelKind::vgg11, 132863336, 7.609, 22, 11, 32},
    {ModelKind::vgg11_bn, 132868840, 7.609, 38, 19, 32},
    {ModelKind::vgg13, 133047848, 11.308, 26, 13, 32},
    {ModelKind::vgg13_bn, 133053736, 11.308, 46, 23, 32},
    {ModelKind::vgg16, 138357544, 15.47, 32, 16, 32},
    {ModelKind::vgg16_bn, 138365992, 15.47, 58, 29, 32},
    {ModelKind::vgg19, 143667240, 19.632, 38, 19, 32},
    {ModelKind::vgg19_bn, 143678248, 19.632, 70, 35, 32},
    {ModelKind::inception_v3, 27161264, 5.713, 292, 194, 75},
    {ModelKind::xception, 22855952, 8.357, 156, 115, 23},
    {ModelKind::squeezenet1_1, 1235496, 0.349, 52, 26, 17},
    {ModelKind::mobilenet_v3_small, 2542856, 0.057, 142, 88, 17},
};

class Zoo : public ::testing::TestWithParam<Published> {};

TEST_P(Zoo, HasThePublishedSize) {
  const std::int64_t side = architecture_of(GetParam().kind).native_side;
  const Totals totals = totals_of(summarise_model(config_of(GetParam().kind), {3, side, 1000}));
  EXPECT_EQ(totals.parameters, GetParam().parameters);
  EXPECT_NEAR(static_cast<double>(totals.flops) / 2e9, GetParam().giga_multiplications, 0.01);
}

TEST_P(Zoo, StandsInTheReadme) {
  const char* source = std::getenv("LOCKSTEP_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "LOCKSTEP_SOURCE_DIR is not set; ctest sets it";
  const std::string readme = read_file(std::filesystem::path(source) / "README.md");
  const Architecture& architecture = architecture_of(GetParam().kind);
  const ModelConfig config = config_of(GetParam().kind);
  const Totals totals = totals_of(summarise_model(config, {3, architecture.native_side, 1000}));
  const std::string row = fmt::format("| `{}` | {} | {} | {:.2f} |\n", architecture.name, architecture.native_side,
                                      smallest_side(config), static_cast<double>(totals.parameters) / 1e6);
  EXPECT_NE(readme.find(row), std::string::npos) << "README.md lacks " << row;
}

TEST_P(Zoo, TooSmallAnImageNamesTheSmallestSide) {
  const ModelConfig config = config_of(GetParam().kind);
  EXPECT_EQ(smallest_side(config), GetParam().smallest);
  EXPECT_NO_THROW(summarise_model(config, {1, GetParam().smallest, 2}));
  for (const auto& act : {std::function([&](const ModelInput& input) { summarise_model(config, input); }),
                          std::function([&](const ModelInput& input) { make_model(config, input, 1); })}) {
    try {
      act({3, GetParam().smallest - 1, 10});
      ADD_FAILURE() << "too small an image was taken";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(name_of(GetParam().kind)), std::string::npos) << error.what();
      EXPECT_NE(error.hint().find(fmt::format("at least {};", GetParam().smallest)), std::string::npos) << error.hint();
      EXPECT_EQ(error.exit_code(), Exit::usage);
    }
  }
}

/// Made and run near its smallest side. One of the VGGs stands for all: their dense layers take half a gigabyte.
class MadeNetworks : public ::testing::TestWithParam<Published> {};

TEST_P(MadeNetworks, AreWhatTheirSummarySays) {
  const ModelKind kind = GetParam().kind;
  for (const ModelInput input : {ModelInput{3, GetParam().smallest, 10}, ModelInput{1, GetParam().smallest + 15, 3}}) {
    if (kind == ModelKind::vgg11_bn && input.channels == 3) continue;
    const auto layers = summarise_model(config_of(kind), input);
    const auto model = make_model(config_of(kind), input, 1);
    const auto parameters = model->named_parameters();
    std::int64_t count = 0;
    std::set<std::string> modules;
    for (const auto& [name, tensor] : parameters.pairs()) {
      count += tensor.numel();
      modules.insert(name.substr(0, name.rfind('.')));
    }
    EXPECT_EQ(count, totals_of(layers).parameters);
    if (kind != ModelKind::inception_v3) {  // whose published count has the auxiliary head
      EXPECT_EQ(parameters.size(), GetParam().tensors);
      EXPECT_EQ(modules.size(), GetParam().modules);
    }
    const at::Tensor images = at::zeros({2, input.channels, input.side, input.side});
    const at::NoGradGuard no_grad;
    at::Tensor x = images;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      x = model->stages()[i].forward(x, BatchContext{});
      EXPECT_EQ(model->stages()[i].name, layers[i].name);
      EXPECT_EQ(x.sizes().slice(1), at::IntArrayRef(layers[i].output)) << layers[i].name;
    }
    EXPECT_EQ(model->forward(images.slice(0, 0, 0), BatchContext{}).sizes(), (at::IntArrayRef{0, input.classes}));
  }
}

std::string name_of_case(const ::testing::TestParamInfo<Published>& of) { return std::string(name_of(of.param.kind)); }

INSTANTIATE_TEST_SUITE_P(Kinds, Zoo, ::testing::ValuesIn(published), name_of_case);

std::vector<Published> small_enough() {
  std::vector<Published> cases;
  for (const Published& one : published) {
    if (architecture_of(one.kind).family != Family::vgg || one.kind == ModelKind::vgg11_bn) cases.push_back(one);
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Kinds, MadeNetworks, ::testing::ValuesIn(small_enough()), name_of_case);

TEST(Networks, OfTheTableAreAllTested) { EXPECT_EQ(architecture_table.size() - 1, std::size(published)); }

TEST(Inception, HasItsAuxiliaryHeadFromItsNativeSideOn) {
  const ModelConfig config = config_of(ModelKind::inception_v3);
  const auto small = make_model(config, {3, 298, 4}, 1), native = make_model(config, {3, 299, 4}, 1);
  EXPECT_EQ(small->heads(), std::vector<std::string>{"fc"});
  EXPECT_EQ(native->heads(), (std::vector<std::string>{"AuxLogits.fc", "fc"}));
  EXPECT_EQ(native->parameters().size(), 292u);
  EXPECT_EQ(native->parameters().size() - small->parameters().size(), 8u);
  const Stage& stage = native->stages()[native->stages().size() - 4];
  EXPECT_EQ(stage.modules, (std::vector<std::string>{"AuxLogits", "Mixed_7a"}));
  // a file of the whole network fits the one without the head
  WeightFile weights;
  for (const auto& [name, tensor] : state_of(*native)) weights.tensors.emplace_back(name, tensor);
  EXPECT_EQ(start_from(weights, *small, "w").loaded, state_of(*small).size());
}

TEST(Inception, AnAuxiliaryHeadThatCannotLearnIsLeftOut) {
  const auto model = make_model(config_of(ModelKind::inception_v3), {1, 299, 4}, 1);
  const at::Tensor images = at::zeros({2, 1, 299, 299});
  at::Tensor scores;
  BatchContext training;
  training.training = true;
  training.global_samples = 2;
  training.ids = {0, 1};
  training.auxiliary_logits = &scores;
  const auto freeze_until = [&](const std::string& first_trained) {
    bool frozen = true;
    for (const auto& [name, tensor] : model->named_parameters().pairs()) {
      frozen = frozen && !name.starts_with(first_trained);
      at::Tensor(tensor).set_requires_grad(!frozen);
    }
    scores = at::Tensor();
    model->forward(images, training);
    return scores.defined();
  };
  EXPECT_TRUE(freeze_until("Mixed_6e"));
  EXPECT_TRUE(freeze_until("AuxLogits.fc"));
  EXPECT_FALSE(freeze_until("Mixed_7a"));
  freeze_until("Conv2d_1a");
  EXPECT_TRUE(scores.defined());
  EXPECT_EQ(scores.sizes(), (at::IntArrayRef{2, 4}));
  scores = at::Tensor();
  model->forward(images, BatchContext{});
  EXPECT_FALSE(scores.defined()) << "evaluation has no auxiliary head";
}

TEST(Networks, DropoutIsTheNetworksOwnOrWhatIsAsked) {
  const auto drops = [](std::optional<double> p) {
    ModelConfig config = config_of(ModelKind::squeezenet1_1);
    config.dropout = p;
    return make_model(config, {3, 32, 4}, 1)->stages().back().drops;
  };
  EXPECT_TRUE(drops({}));
  EXPECT_TRUE(drops(0.1));
  EXPECT_FALSE(drops(0));
}

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

TEST_P(Zoo, TheTableOfLayersIsAligned) {
  const std::string table = format_summary(summarise_model(config_of(GetParam().kind), {3, 299, 10}));
  std::set<std::size_t> widths;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::erase_if(line, [](char byte) { return (byte & 0xC0) == 0x80; });  // a character's further bytes
    widths.insert(line.size());
  }
  EXPECT_EQ(widths.size(), 1u) << table;
}

}  // namespace
}  // namespace lockstep
