#include "lockstep/comm/communicator.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>

namespace lockstep {
namespace {

using Kind = Operation::Kind;

bool puts_parts_in_order(Kind kind) {
  return kind == Kind::gather_all || kind == Kind::gather_unequal || kind == Kind::reduce_scatter;
}

bool overlap(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined() || a.numel() == 0 || b.numel() == 0) return false;
  const auto* a_begin = static_cast<const std::uint8_t*>(a.const_data_ptr());
  const auto* b_begin = static_cast<const std::uint8_t*>(b.const_data_ptr());
  return a_begin < b_begin + b.nbytes() && b_begin < a_begin + a.nbytes();
}

/// Zeroed pages, huge ones where the kernel has them: fewer entries for the memory management unit to walk.
void* zeroed_memory(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
  const std::size_t rounded = std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  if (alignment == huge_page) ::madvise(memory, rounded, MADV_HUGEPAGE);  // advice: may be refused, nothing is lost
  std::memset(memory, 0, rounded);
  return memory;
}

}  // namespace

Communicator::Communicator(Place place, Seconds deadline)
    : place_(std::make_shared<const Place>(std::move(place))), deadline_(deadline) {}

Work Communicator::sum(at::Tensor& values) { return in_place(Kind::sum, values); }
Work Communicator::maximum(at::Tensor& values) { return in_place(Kind::maximum, values); }
Work Communicator::minimum(at::Tensor& values) { return in_place(Kind::minimum, values); }
Work Communicator::broadcast(at::Tensor& values, int root) { return in_place(Kind::broadcast, values, root); }

Work Communicator::in_place(Kind kind, at::Tensor& values, int root) {
  Operation operation;
  operation.kind = kind;
  operation.output = values;
  operation.root = root;
  return post(std::move(operation));
}

Work Communicator::gather_all(const at::Tensor& mine, at::Tensor& all) {
  Operation operation;
  operation.kind = Kind::gather_all;
  operation.input = mine;
  operation.output = all;
  return post(std::move(operation));
}

Work Communicator::reduce_scatter(const at::Tensor& all, at::Tensor& mine) {
  Operation operation;
  operation.kind = Kind::reduce_scatter;
  operation.input = all;
  operation.output = mine;
  return post(std::move(operation));
}

at::Tensor Communicator::gather_unequal(const at::Tensor& mine, std::optional<int> root) {
  Operation operation;
  operation.kind = Kind::gather_unequal;
  operation.input = mine.contiguous();
  operation.root = root.value_or(Operation::every_rank);
  if (mine.dim() == 0) throw wrong("a tensor without rows", operation, "give it a first dimension: [n, …]");
  std::vector<std::int64_t> shape = mine.sizes().vec();
  operation.row_elements = std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());

  const auto integers = at::TensorOptions().dtype(at::kLong);
  at::Tensor my_shape = at::empty({2}, integers);
  my_shape[0] = shape[0];
  my_shape[1] = operation.row_elements;
  at::Tensor shapes = at::empty({size(), 2}, integers.device(device()));
  gather_all(my_shape.to(device()), shapes).wait();
  const at::Tensor known = shapes.cpu();
  for (int r = 0; r < size(); ++r) {
    operation.rows.push_back(known[r][0].item<std::int64_t>());
    if (const auto theirs = known[r][1].item<std::int64_t>(); theirs != operation.row_elements) {
      throw wrong(fmt::format("rows of {} elements, those of rank {} have {}", operation.row_elements, r, theirs),
                  operation, "all ranks must give tensors of the same shape but for the first dimension");
    }
  }
  const bool receives = !root || *root == rank();
  shape[0] = receives ? std::accumulate(operation.rows.begin(), operation.rows.end(), std::int64_t{0}) : 0;
  at::Tensor all = at::empty(shape, mine.options().requires_grad(false));
  operation.output = all;
  post(std::move(operation)).wait();
  return all;
}

void Communicator::barrier() { post(Operation{}).wait(); }

at::Tensor Communicator::buffer(std::int64_t numel, at::ScalarType dtype) {
  const std::size_t bytes = static_cast<std::size_t>(numel) * c10::elementSize(dtype);
  return at::from_blob(
      zeroed_memory(bytes), {numel}, [](void* memory) { std::free(memory); }, at::TensorOptions().dtype(dtype));
}

Work Communicator::post(Operation operation) {
  if (operation.input.defined()) operation.input = checked_flat(operation.input, operation);
  if (operation.output.defined()) operation.output = checked_flat(operation.output, operation);
  check_sizes(operation);
  operation.sequence = ++operations_;
  std::shared_ptr<Pending> pending = start(operation);
  return pending ? Work(std::move(pending), std::move(operation), place_, deadline_) : Work();
}

at::Tensor Communicator::checked_flat(const at::Tensor& tensor, const Operation& operation) const {
  if (tensor.device() != device()) {
    throw wrong(
        fmt::format("a tensor on {}, this communicator exchanges those on {}", tensor.device().str(), device().str()),
        operation, "move the tensor, or take the communicator of its device");
  }
  const bool in_order = puts_parts_in_order(operation.kind);
  if (in_order ? !tensor.is_contiguous() : !tensor.is_non_overlapping_and_dense()) {
    throw wrong(in_order ? "a tensor that is not contiguous" : "a tensor with gaps or overlaps in memory", operation,
                "exchange tensor.contiguous() and copy the result back");
  }
  if (combines_numbers(operation.kind) && !combines(tensor.scalar_type())) {
    throw wrong(
        fmt::format("numbers of type {} cannot be combined by this backend", c10::toString(tensor.scalar_type())),
        operation, "convert to float32 for the exchange");
  }
  return tensor.variable_data().as_strided({tensor.numel()}, {1});
}

void Communicator::check_sizes(const Operation& operation) const {
  const bool rooted = operation.root != Operation::every_rank || operation.kind == Kind::broadcast;
  if (rooted && (operation.root < 0 || operation.root >= size())) {
    throw wrong(fmt::format("root {} of {} ranks", operation.root, size()), operation,
                "name a rank of this communicator");
  }
  if (operation.kind != Kind::gather_all && operation.kind != Kind::reduce_scatter) return;
  const bool gathers = operation.kind == Kind::gather_all;
  const at::Tensor& part = gathers ? operation.input : operation.output;
  const at::Tensor& whole = gathers ? operation.output : operation.input;
  if (part.scalar_type() != whole.scalar_type()) {
    throw wrong("tensors of different dtypes", operation, "give both the same dtype");
  }
  if (whole.numel() != part.numel() * size()) {
    throw wrong(fmt::format("{} elements for {} ranks with {} each", whole.numel(), size(), part.numel()), operation,
                fmt::format("the large tensor must have {} elements", part.numel() * size()));
  }
  if (overlap(part, whole)) {
    throw wrong("input and output overlap in memory", operation, "give the result memory of its own");
  }
}

Error Communicator::wrong(std::string what, const Operation& operation, std::string hint) const {
  return Error(describe(operation) + ": " + what, place_->text(), std::move(hint));
}

}  // namespace lockstep
