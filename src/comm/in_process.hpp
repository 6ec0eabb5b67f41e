// What each operation means, carried out in the memory of one process: for the serial and the threads backend.
//
// Internal to src/comm.
#pragma once
#include <span>

#include "lockstep/comm/operation.hpp"

namespace lockstep {

/// Executes the operation that all ranks posted, [rank]; combines numbers in rank order. The caller has exclusive use
/// of all tensors. Only rows differ between ranks: everything else was compared.
void execute(std::span<const Operation> posted);

/// The dtypes that execute() combines.
bool combined_in_process(at::ScalarType dtype);

}  // namespace lockstep
