#include "lockstep/model/make_model.hpp"

#include <fmt/format.h>

#include "lockstep/core/error.hpp"
#include "lockstep/model/custom_cnn.hpp"
#include "model/planned_network.hpp"

namespace lockstep {
namespace {

NetworkPlan plan_of(const ModelConfig& config, const ModelInput& input) {
  const Architecture& architecture = architecture_of(config.kind);
  const double p = config.dropout.value_or(architecture.dropout.value_or(0));
  switch (architecture.family) {
    case Family::resnet:
      return plan_resnet(config.kind, input);
    case Family::vgg:
      return plan_vgg(config.kind, input, p);
    case Family::inception:
      return plan_inception(input, p);
    case Family::xception:
      return plan_xception(input, p);
    case Family::squeezenet:
      return plan_squeezenet(input, p);
    case Family::mobilenet:
      return plan_mobilenet(input, p);
    case Family::custom:
      break;
  }
  throw defect("the custom CNN has no plan", "plan_of");
}

NetworkPlan checked_plan(const ModelConfig& config, const ModelInput& input) {
  NetworkPlan plan = plan_of(config, input);
  if (fits(plan, input)) return plan;
  const std::int64_t native = architecture_of(config.kind).native_side;
  throw Error(fmt::format("an image of side {} is too small for {}", input.side, name_of(config.kind)),
              "--model, --side",
              fmt::format("use a --side of at least {}; published weights are for {}", smallest_side(config), native),
              Exit::usage);
}

}  // namespace

std::shared_ptr<Model> make_model(const ModelConfig& config, const ModelInput& input, std::uint64_t seed) {
  if (config.kind == ModelKind::custom) return make_custom_cnn(config.custom, config.batch_norm_stats, input, seed);
  return make_planned_network(checked_plan(config, input), config.batch_norm_stats, seed);
}

std::vector<LayerSummary> summarise_model(const ModelConfig& config, const ModelInput& input) {
  if (config.kind == ModelKind::custom) return summarise_custom_cnn(config.custom, input);
  return summarise(checked_plan(config, input), input);
}

std::string last_head(const ModelConfig& config, const ModelInput& input) {
  return config.kind == ModelKind::custom ? custom_cnn_head : checked_plan(config, input).heads.back();
}

std::int64_t smallest_side(const ModelConfig& config) {
  if (config.kind == ModelKind::custom) return std::int64_t{1} << config.custom.filters.size();
  ModelInput input{3, 1, 1};
  while (!fits(plan_of(config, input), input)) ++input.side;
  return input.side;
}

}  // namespace lockstep
