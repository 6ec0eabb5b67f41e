#include "lockstep/model/model.hpp"

#include <algorithm>

namespace lockstep {

bool Stage::owns(std::string_view parameter) const {
  return std::any_of(modules.begin(), modules.end(), [parameter](const std::string& module) {
    return parameter.starts_with(module) && parameter.substr(module.size()).starts_with('.');
  });
}

at::Tensor Model::forward(const at::Tensor& images, const BatchContext& context) {
  return forward_stages(images, context, 0, stages_.size());
}

at::Tensor Model::forward_stages(const at::Tensor& x, const BatchContext& context, std::size_t first,
                                 std::size_t last) {
  at::Tensor y = x;
  for (std::size_t i = first; i < last; ++i) y = stages_[i].forward(y, context);
  return y;
}

std::vector<std::pair<std::string, at::Tensor>> state_of(const Model& model) {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& item : model.named_parameters()) state.emplace_back(item.key(), item.value());
  for (const auto& item : model.named_buffers()) state.emplace_back(item.key(), item.value());
  return state;
}

c10::Device device_of(const Model& model) {
  const std::vector<at::Tensor> parameters = model.parameters();
  return parameters.empty() ? c10::Device(c10::kCPU) : parameters.front().device();
}

}  // namespace lockstep
