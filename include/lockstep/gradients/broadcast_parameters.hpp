// The same start for all ranks: parameters and buffers of rank 0, sent in a few large messages.
//
// Every rank calls it with tensors of the same names, shapes, strides and dtypes (any dtype; dense, channels-last too)
// on the communicator's device; a digest of these is compared first. Waits. Values are written outside autograd.
// Errors: lists that differ between ranks, a tensor with gaps in memory, those of the exchange.
#pragma once
#include "lockstep/comm/communicator.hpp"
#include "lockstep/gradients/gradient_buckets.hpp"

namespace lockstep {

void broadcast_parameters(Communicator& communicator, const NamedTensors& tensors);

}  // namespace lockstep
