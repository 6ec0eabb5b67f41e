#include "lockstep/gradients/broadcast_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "lockstep/comm/agreement.hpp"
#include "lockstep/core/digest.hpp"

namespace lockstep {
namespace {

std::string digest_of(const NamedTensors& tensors) {
  Digest digest;
  for (const auto& [name, tensor] : tensors) {
    digest.add(name).add(static_cast<int>(tensor.scalar_type()));
    for (const std::int64_t size : tensor.sizes()) digest.add(size);
    for (const std::int64_t stride : tensor.strides()) digest.add(stride);
  }
  return digest.hex();
}

/// The tensor's values as bytes in the order they lie in memory, channels-last or not.
at::Tensor as_bytes(const std::string& name, const at::Tensor& tensor) {
  if (!tensor.is_non_overlapping_and_dense()) {
    throw Error("a tensor with gaps or overlaps in memory", name, "make it contiguous before it is broadcast");
  }
  return tensor.variable_data().as_strided({tensor.numel()}, {1}).view(at::kByte);
}

}  // namespace

void broadcast_parameters(Communicator& communicator, const NamedTensors& tensors) {
  // Few large messages instead of hundreds of small ones; 32 MiB is past the point where latency counts.
  constexpr std::int64_t batch_bytes = std::int64_t{32} << 20;
  require_agreement(communicator, "list of parameters and buffers", digest_of(tensors));
  std::vector<at::Tensor> parts;
  for (const auto& [name, tensor] : tensors) parts.push_back(as_bytes(name, tensor));

  for (std::size_t first = 0; first < parts.size();) {
    std::size_t end = first;
    std::int64_t bytes = 0;
    do {
      bytes += parts[end++].numel();
    } while (end < parts.size() && bytes + parts[end].numel() <= batch_bytes);
    const std::vector<at::Tensor> batch(parts.begin() + static_cast<std::ptrdiff_t>(first),
                                        parts.begin() + static_cast<std::ptrdiff_t>(end));
    at::Tensor flat = at::cat(batch);
    communicator.broadcast(flat, 0).wait();
    std::int64_t start = 0;
    for (const at::Tensor& part : batch) {
      part.copy_(flat.narrow(0, start, part.numel()));
      start += part.numel();
    }
    first = end;
  }
}

}  // namespace lockstep
