#include "lockstep/features/frozen_prefix.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <span>

#include "lockstep/core/digest.hpp"

namespace lockstep {
namespace {

bool trains(const Model& model, const Stage& stage) {
  const auto parameters = model.named_parameters();
  return std::any_of(parameters.begin(), parameters.end(), [&](const auto& parameter) {
    return parameter.value().requires_grad() && stage.owns(parameter.key());
  });
}

}  // namespace

std::size_t frozen_stages(const Model& model) {
  const std::vector<Stage>& stages = model.stages();
  std::size_t count = 0;
  while (count + 1 < stages.size() && !stages[count].drops && !trains(model, stages[count])) ++count;
  return count;
}

std::string prefix_digest(const Model& model, std::size_t stages) {
  Digest digest;
  const auto state = state_of(model);
  for (std::size_t i = 0; i < stages; ++i) {
    const Stage& stage = model.stages()[i];
    digest.add(stage.name);
    for (const auto& [name, tensor] : state) {
      if (!stage.owns(name)) continue;
      const at::Tensor values = tensor.detach().cpu().contiguous();
      digest.add(name).add(std::string_view(values.dtype().name()));
      for (const std::int64_t size : values.sizes()) digest.add(size);
      digest.add(std::span(static_cast<const std::uint8_t*>(values.const_data_ptr()), values.nbytes()));
    }
  }
  return digest.hex();
}

}  // namespace lockstep
