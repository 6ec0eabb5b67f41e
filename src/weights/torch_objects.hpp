// What torch.save's pickle says of a state dict: which tensors there are, over which storages, and what else lies
// beside.
//
// Source: torch/_utils.py (_rebuild_tensor_v2 and its kin), torch/serialization.py (persistent ids) of PyTorch 2.11. No
// tensor is made here; TensorPlan says how, and has been checked against the length of its storage. Pure functions of
// the pickle; what they return points into it. Errors name the file and the tensor.
#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

#include "weights/pickle.hpp"

namespace lockstep {

struct StoragePlan {
  std::string key;            ///< of the storage in the file
  c10::ScalarType type{};     ///< of its elements
  std::int64_t elements = 0;  ///< of the whole storage
  std::int64_t begin = 0;     ///< a view's first element (the older format alone has views)

  std::uint64_t bytes() const { return static_cast<std::uint64_t>(elements) * c10::elementSize(type); }
};

struct TensorPlan {
  std::string name;
  StoragePlan storage;
  std::vector<std::int64_t> sizes, strides;
  std::int64_t offset = 0;  ///< in elements, from the beginning of the storage
};

struct StateDictPlan {
  std::vector<TensorPlan> tensors;
  std::vector<std::string> notes;
};

/// "torch.FloatStorage" …; empty for types that are neither read nor written.
std::string_view storage_type_name(c10::ScalarType type);

/// Whether a pickle of torch.save may name this function or class.
bool is_harmless_global(std::string_view name);

/// A persistent value as a storage. Errors: another kind of persistent value, a type of elements that is not read.
StoragePlan storage_plan(const PickleValue& persistent, const std::string& where);

/// The state dict that lies bare in the pickle or under one of the usual names.
StateDictPlan state_dict_plan(const PickleValue& root, const std::string& where);

}  // namespace lockstep
