// The networks that --model names: one table for the options and their help, the checks and the makers of networks.
//
// Names are torchvision's; xception is timm's legacy_xception. What a network looks like is in model/, a file for each
// family. Values, known when compiling; thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep {

enum class ModelKind {
  custom,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
  vgg11,
  vgg11_bn,
  vgg13,
  vgg13_bn,
  vgg16,
  vgg16_bn,
  vgg19,
  vgg19_bn,
  inception_v3,
  xception,
  squeezenet1_1,
  mobilenet_v3_small
};

/// Networks that share a description.
enum class Family { custom, resnet, vgg, inception, xception, squeezenet, mobilenet };

struct Architecture {
  ModelKind kind;
  std::string_view name;
  Family family;
  std::int64_t native_side;       ///< pixels that its published weights were trained at; 0: there are none
  bool batch_norm;                ///< of the custom CNN: an option
  std::optional<double> dropout;  ///< the network's own rate; none: it has none, or options that say where
};

inline constexpr std::array<Architecture, 18> architecture_table{{
    {ModelKind::custom, "custom", Family::custom, 0, true, {}},
    {ModelKind::resnet18, "resnet18", Family::resnet, 224, true, {}},
    {ModelKind::resnet34, "resnet34", Family::resnet, 224, true, {}},
    {ModelKind::resnet50, "resnet50", Family::resnet, 224, true, {}},
    {ModelKind::resnet101, "resnet101", Family::resnet, 224, true, {}},
    {ModelKind::resnet152, "resnet152", Family::resnet, 224, true, {}},
    {ModelKind::vgg11, "vgg11", Family::vgg, 224, false, 0.5},
    {ModelKind::vgg11_bn, "vgg11_bn", Family::vgg, 224, true, 0.5},
    {ModelKind::vgg13, "vgg13", Family::vgg, 224, false, 0.5},
    {ModelKind::vgg13_bn, "vgg13_bn", Family::vgg, 224, true, 0.5},
    {ModelKind::vgg16, "vgg16", Family::vgg, 224, false, 0.5},
    {ModelKind::vgg16_bn, "vgg16_bn", Family::vgg, 224, true, 0.5},
    {ModelKind::vgg19, "vgg19", Family::vgg, 224, false, 0.5},
    {ModelKind::vgg19_bn, "vgg19_bn", Family::vgg, 224, true, 0.5},
    {ModelKind::inception_v3, "inception_v3", Family::inception, 299, true, 0.5},
    {ModelKind::xception, "xception", Family::xception, 299, true, 0.0},
    {ModelKind::squeezenet1_1, "squeezenet1_1", Family::squeezenet, 224, false, 0.5},
    {ModelKind::mobilenet_v3_small, "mobilenet_v3_small", Family::mobilenet, 224, true, 0.2},
}};

const Architecture& architecture_of(ModelKind kind);
/// How images are normalised for the published weights of a network, as a value of --normalise; empty: there are none.
std::string_view usual_normalisation(const Architecture& architecture);
/// `name` must be one of the table's: the options are checked against it.
const Architecture& architecture_named(std::string_view name);

}  // namespace lockstep
