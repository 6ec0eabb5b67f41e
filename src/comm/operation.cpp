#include "lockstep/comm/operation.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

const char* dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kByte:
      return "uint8";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(dtype);
  }
}

std::string amount(const at::Tensor& tensor) {
  return fmt::format("{} {}", tensor.numel(), dtype_name(tensor.scalar_type()));
}

}  // namespace

std::int64_t Operation::bytes() const {
  const at::Tensor& given = input.defined() ? input : output;
  return given.defined() ? static_cast<std::int64_t>(given.nbytes()) : 0;
}

std::string describe(const Operation& operation) {
  using Kind = Operation::Kind;
  switch (operation.kind) {
    case Kind::sum:
      return "sum of " + amount(operation.output);
    case Kind::maximum:
      return "maximum of " + amount(operation.output);
    case Kind::minimum:
      return "minimum of " + amount(operation.output);
    case Kind::broadcast:
      return fmt::format("broadcast of {} from rank {}", amount(operation.output), operation.root);
    case Kind::gather_all:
      return fmt::format("gather of {} from each rank", amount(operation.input));
    case Kind::gather_unequal:
      return fmt::format("gather of rows of {} {} to {}", operation.row_elements,
                         dtype_name(operation.input.scalar_type()),
                         operation.root == Operation::every_rank ? "all" : fmt::format("rank {}", operation.root));
    case Kind::reduce_scatter:
      return fmt::format("reduce-scatter of {} to each rank", amount(operation.output));
    case Kind::barrier:
      return "barrier";
  }
  return "unknown operation";
}

bool combines_numbers(Operation::Kind kind) {
  using Kind = Operation::Kind;
  return kind == Kind::sum || kind == Kind::maximum || kind == Kind::minimum || kind == Kind::reduce_scatter;
}

}  // namespace lockstep
