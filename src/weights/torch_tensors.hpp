// Tensors made from their plans, once the storages are in memory. Private to weights; pure functions.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <span>

#include "lockstep/weights/weight_file.hpp"
#include "weights/torch_objects.hpp"

namespace lockstep {

/// A whole storage as a tensor of one axis. Checks that the file has it in this size before it takes memory.
using ReadStorage = std::function<at::Tensor(const StoragePlan& plan)>;

/// Memory for a storage, and its bytes.
at::Tensor empty_storage(const StoragePlan& plan);
std::span<std::uint8_t> bytes_of(const at::Tensor& storage);

/// Reads every storage that a tensor uses, once. Errors: those of `read`; one storage under two types.
WeightFile make_tensors(const StateDictPlan& plan, const ReadStorage& read, const std::string& where);

}  // namespace lockstep
