#include "weights/torch_tensors.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lockstep/core/error.hpp"

namespace lockstep {

at::Tensor empty_storage(const StoragePlan& plan) { return at::empty({plan.elements}, plan.type); }

std::span<std::uint8_t> bytes_of(const at::Tensor& storage) {
  return {static_cast<std::uint8_t*>(storage.data_ptr()), storage.nbytes()};
}

WeightFile make_tensors(const StateDictPlan& plan, const ReadStorage& read, const std::string& where) {
  WeightFile weights;
  weights.notes = plan.notes;
  std::map<std::string, at::Tensor> storages;
  for (const TensorPlan& tensor : plan.tensors) {
    if (std::ranges::find(tensor.sizes, 0) != tensor.sizes.end()) {
      weights.tensors.emplace_back(tensor.name, at::empty(tensor.sizes, tensor.storage.type));
      continue;
    }
    at::Tensor& storage = storages[tensor.storage.key];
    if (!storage.defined()) storage = read(tensor.storage);
    if (storage.scalar_type() != tensor.storage.type || storage.numel() != tensor.storage.elements)
      throw Error(fmt::format("damaged weights: storage {} has two types or sizes", tensor.storage.key), where,
                  "copy or save the file again");
    weights.tensors.emplace_back(tensor.name, storage.as_strided(tensor.sizes, tensor.strides, tensor.offset));
  }
  return weights;
}

}  // namespace lockstep
