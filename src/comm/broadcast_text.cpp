#include "lockstep/comm/broadcast_text.hpp"

#include <ATen/ATen.h>

#include <cstring>

namespace lockstep {

std::string broadcast_text(Communicator& communicator, std::string_view text) {
  at::Tensor length = at::full({1}, static_cast<std::int64_t>(text.size()), at::kLong).to(communicator.device());
  communicator.broadcast(length, 0).wait();
  at::Tensor bytes = at::empty({length.item<std::int64_t>()}, at::kByte);
  if (bytes.numel() == 0) return {};
  if (communicator.rank() == 0) std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  bytes = bytes.to(communicator.device());
  communicator.broadcast(bytes, 0).wait();
  bytes = bytes.cpu();
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::size_t>(bytes.numel())};
}

}  // namespace lockstep
