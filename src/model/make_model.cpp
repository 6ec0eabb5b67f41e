#include "lockstep/model/make_model.hpp"

#include "lockstep/model/custom_cnn.hpp"
#include "lockstep/model/resnet.hpp"

namespace lockstep {

std::shared_ptr<Model> make_model(const ModelConfig& config, const ModelInput& input, std::uint64_t seed) {
  if (config.kind == ModelKind::custom) return make_custom_cnn(config.custom, config.batch_norm_stats, input, seed);
  return make_resnet(config.kind, config.batch_norm_stats, input, seed);
}

std::vector<LayerSummary> summarise_model(const ModelConfig& config, const ModelInput& input) {
  if (config.kind == ModelKind::custom) return summarise_custom_cnn(config.custom, input);
  return summarise_resnet(config.kind, input);
}

}  // namespace lockstep
