#include "lockstep/weights/weight_file.hpp"

#include <ATen/ops/isfinite.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "lockstep/core/error.hpp"
#include "lockstep/weights/weight_faults.hpp"

namespace lockstep {

std::string_view type_name(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kChar:
      return "int8";
    case at::kShort:
      return "int16";
    case at::kInt:
      return "int32";
    case at::kLong:
      return "int64";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(type);
  }
}

void copy_weights(const WeightFile& from, const std::vector<std::pair<std::string, at::Tensor>>& into,
                  const std::filesystem::path& file) {
  std::map<std::string, at::Tensor> rest(from.tensors.begin(), from.tensors.end());
  WeightFaults faults;
  for (const auto& [name, tensor] : into) {
    const auto found = rest.find(name);
    if (found == rest.end()) {
      faults.missing.push_back(name);
      continue;
    }
    if (found->second.sizes() != tensor.sizes()) faults.add_shape(name, found->second.sizes(), tensor.sizes());
    rest.erase(found);
  }
  for (const auto& [name, tensor] : rest) faults.unexpected.push_back(name);
  if (faults.any()) faults.raise(file);
  const at::NoGradGuard no_grad;
  const std::map<std::string, at::Tensor> available(from.tensors.begin(), from.tensors.end());
  for (const auto& [name, tensor] : into) at::Tensor(tensor).copy_(available.at(name));
}

void require_finite_weights(const WeightFile& weights, const std::filesystem::path& file) {
  for (const auto& [name, tensor] : weights.tensors) {
    if (!tensor.is_floating_point()) continue;
    const std::int64_t finite = at::isfinite(tensor).sum().item<std::int64_t>();
    if (finite == tensor.numel()) continue;
    throw Error(fmt::format("tensor {} has {} values that are NaN or infinite", name, tensor.numel() - finite),
                file.string(), "the training that wrote them had diverged: take an earlier checkpoint of it");
  }
}

}  // namespace lockstep
