#include "in_process.hpp"

#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

namespace lockstep {
namespace {

using Kind = Operation::Kind;

void combine_into(at::Tensor& result, const at::Tensor& values, Kind kind) {
  switch (kind) {
    case Kind::maximum:
      at::maximum_out(result, result, values);
      break;
    case Kind::minimum:
      at::minimum_out(result, result, values);
      break;
    default:
      result.add_(values);
      break;
  }
}

void combine(std::span<const Operation> posted) {
  if (posted.size() == 1) return;
  at::Tensor result = posted[0].output.clone();
  for (const Operation& operation : posted.subspan(1)) combine_into(result, operation.output, operation.kind);
  for (const Operation& operation : posted) operation.output.copy_(result);
}

void broadcast(std::span<const Operation> posted) {
  const Operation& root = posted[static_cast<std::size_t>(posted[0].root)];
  for (const Operation& operation : posted) {
    if (&operation != &root) operation.output.copy_(root.output);
  }
}

void gather(std::span<const Operation> posted) {
  for (const Operation& receiver : posted) {
    if (receiver.output.numel() == 0) continue;
    std::int64_t start = 0;
    for (const Operation& giver : posted) {
      receiver.output.narrow(0, start, giver.input.numel()).copy_(giver.input);
      start += giver.input.numel();
    }
  }
}

void reduce_scatter(std::span<const Operation> posted) {
  const std::int64_t part = posted[0].output.numel();
  for (std::size_t rank = 0; rank < posted.size(); ++rank) {
    const std::int64_t start = static_cast<std::int64_t>(rank) * part;
    const at::Tensor& result = posted[rank].output;
    result.copy_(posted[0].input.narrow(0, start, part));
    for (const Operation& giver : posted.subspan(1)) result.add_(giver.input.narrow(0, start, part));
  }
}

}  // namespace

void execute(std::span<const Operation> posted) {
  switch (posted[0].kind) {
    case Kind::sum:
    case Kind::maximum:
    case Kind::minimum:
      return combine(posted);
    case Kind::broadcast:
      return broadcast(posted);
    case Kind::gather_all:
    case Kind::gather_unequal:
      return gather(posted);
    case Kind::reduce_scatter:
      return reduce_scatter(posted);
    case Kind::barrier:
      return;
  }
}

bool combined_in_process(at::ScalarType dtype) { return dtype != at::kBool && !c10::isQIntType(dtype); }

}  // namespace lockstep
