#include "nccl_communicator.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "nccl_link.hpp"

namespace lockstep {
namespace {

using Kind = Operation::Kind;

std::optional<ncclDataType_t> number_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    case at::kLong:
      return ncclInt64;
    case at::kInt:
      return ncclInt32;
    case at::kByte:
      return ncclUint8;
    case at::kHalf:
      return ncclFloat16;
    case at::kBFloat16:
      return ncclBfloat16;
    default:
      return std::nullopt;
  }
}

ncclRedOp_t reduction(Kind kind) { return kind == Kind::maximum ? ncclMax : kind == Kind::minimum ? ncclMin : ncclSum; }

/// The first failure of calls made one after the other in a group.
class FirstFailure {
 public:
  void operator()(ncclResult_t result) {
    if (first_ == ncclSuccess) first_ = result;
  }
  ncclResult_t result() const { return first_; }

 private:
  ncclResult_t first_ = ncclSuccess;
};

/// Everyone gets all rows: a broadcast from each rank that has some.
ncclResult_t gather_to_all(const Operation& operation, int rank, ncclComm_t nccl, cudaStream_t stream) {
  const std::size_t row = static_cast<std::size_t>(operation.row_elements) * operation.output.element_size();
  auto* place = static_cast<char*>(operation.output.mutable_data_ptr());
  FirstFailure note;
  for (int giver = 0; giver < static_cast<int>(operation.rows.size()); ++giver) {
    const std::size_t bytes = static_cast<std::size_t>(operation.rows[static_cast<std::size_t>(giver)]) * row;
    if (bytes == 0) continue;
    const void* mine = giver == rank ? operation.input.const_data_ptr() : place;
    note(ncclBroadcast(mine, place, bytes, ncclUint8, giver, nccl, stream));
    place += bytes;
  }
  return note.result();
}

/// The root receives from each rank that has rows, itself included: NCCL allows that within a group.
ncclResult_t gather_to_root(const Operation& operation, int rank, ncclComm_t nccl, cudaStream_t stream) {
  const std::size_t row = static_cast<std::size_t>(operation.row_elements) * operation.input.element_size();
  FirstFailure note;
  if (operation.input.numel() > 0) {
    note(ncclSend(operation.input.const_data_ptr(), operation.input.nbytes(), ncclUint8, operation.root, nccl, stream));
  }
  if (rank != operation.root) return note.result();
  auto* place = static_cast<char*>(operation.output.mutable_data_ptr());
  for (int giver = 0; giver < static_cast<int>(operation.rows.size()); ++giver) {
    const std::size_t bytes = static_cast<std::size_t>(operation.rows[static_cast<std::size_t>(giver)]) * row;
    if (bytes == 0) continue;
    note(ncclRecv(place, bytes, ncclUint8, giver, nccl, stream));
    place += bytes;
  }
  return note.result();
}

/// One operation in NCCL's words. Bytes are moved as such; only sums and extremes need to know the numbers.
ncclResult_t ask_nccl(const Operation& operation, int rank, ncclComm_t nccl, cudaStream_t stream) {
  const at::Tensor &in = operation.input, &out = operation.output;
  switch (operation.kind) {
    case Kind::sum:
    case Kind::maximum:
    case Kind::minimum:
    case Kind::barrier:
      return ncclAllReduce(out.const_data_ptr(), out.mutable_data_ptr(), static_cast<std::size_t>(out.numel()),
                           *number_type(out.scalar_type()), reduction(operation.kind), nccl, stream);
    case Kind::broadcast:
      return ncclBroadcast(out.const_data_ptr(), out.mutable_data_ptr(), out.nbytes(), ncclUint8, operation.root, nccl,
                           stream);
    case Kind::gather_all:
      return ncclAllGather(in.const_data_ptr(), out.mutable_data_ptr(), in.nbytes(), ncclUint8, nccl, stream);
    case Kind::gather_unequal:
      return operation.root == Operation::every_rank ? gather_to_all(operation, rank, nccl, stream)
                                                     : gather_to_root(operation, rank, nccl, stream);
    case Kind::reduce_scatter:
      return ncclReduceScatter(in.const_data_ptr(), out.mutable_data_ptr(), static_cast<std::size_t>(out.numel()),
                               *number_type(out.scalar_type()), ncclSum, nccl, stream);
  }
  return ncclInternalError;
}

/// Whether no rank has a byte to give: NCCL is not asked then, on any rank.
bool is_empty(const Operation& operation) {
  switch (operation.kind) {
    case Kind::barrier:
      return false;
    case Kind::gather_unequal:
      return operation.row_elements == 0 ||
             std::all_of(operation.rows.begin(), operation.rows.end(), [](std::int64_t rows) { return rows == 0; });
    default:
      return operation.output.numel() == 0;
  }
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(Communicator& control, Place place, std::shared_ptr<NcclLink> link)
      : Communicator(std::move(place), link->deadline()),
        control_(control),
        link_(std::move(link)),
        token_(at::zeros({1}, at::TensorOptions().dtype(at::kInt).device(link_->device()))) {}

  c10::Device device() const override { return link_->device(); }
  void settle() override { link_->settle(); }
  at::Tensor buffer(std::int64_t numel, at::ScalarType dtype) override {
    return at::zeros({numel}, at::TensorOptions().dtype(dtype).device(device()));
  }
  std::unique_ptr<Communicator> split(int colour, int key) override;
  void abort(std::string_view reason, Exit code) override {
    link_->fail(Error("the exchange was aborted: " + std::string(reason), "by " + place().text(), "", code));
    control_.abort(reason, code);
  }

 protected:
  std::shared_ptr<Pending> start(const Operation& operation) override;
  bool combines(at::ScalarType dtype) const override { return number_type(dtype).has_value(); }

 private:
  Communicator& control_;
  std::shared_ptr<NcclLink> link_;
  at::Tensor token_;  // what a barrier sums
};

std::shared_ptr<Pending> NcclCommunicator::start(const Operation& operation) {
  link_->require_sound();
  if (is_empty(operation)) return nullptr;
  Operation asked = operation;
  if (asked.kind == Kind::barrier) asked.output = token_;
  return link_->run(asked, [&](ncclComm_t nccl, cudaStream_t stream) { return ask_nccl(asked, rank(), nccl, stream); });
}

at::Tensor bytes_of(const ncclUniqueId& id) {
  at::Tensor bytes = at::empty({NCCL_UNIQUE_ID_BYTES}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), id.internal, NCCL_UNIQUE_ID_BYTES);
  return bytes;
}

ncclUniqueId id_of(const at::Tensor& bytes) {
  ncclUniqueId id;
  std::memcpy(id.internal, bytes.const_data_ptr(), NCCL_UNIQUE_ID_BYTES);
  return id;
}

ncclUniqueId new_id() {
  ncclUniqueId id;
  if (const ncclResult_t result = ncclGetUniqueId(&id); result != ncclSuccess) {
    throw nccl_error(result, nullptr, "ncclGetUniqueId");
  }
  return id;
}

Place nccl_place(const Place& at, int rank, int size) { return {"nccl", rank, size, at.host}; }

std::unique_ptr<Communicator> NcclCommunicator::split(int colour, int key) {
  const auto everyone = [&](const at::Tensor& mine) {
    at::Tensor all = at::empty({size(), mine.numel()}, mine.options().device(device()));
    gather_all(mine.to(device()), all).wait();
    return all.cpu();
  };
  at::Tensor choice = at::empty({2}, at::kLong);
  choice[0] = colour;
  choice[1] = key;
  const at::Tensor choices = everyone(choice);
  std::vector<std::pair<std::int64_t, int>> members;  // (key, rank) of my colour
  for (int r = 0; r < size(); ++r) {
    if (choices[r][0].item<std::int64_t>() == colour) members.emplace_back(choices[r][1].item<std::int64_t>(), r);
  }
  std::sort(members.begin(), members.end());
  // The first of each colour makes its meeting place; the others' bytes mean nothing.
  const bool leads = colour >= 0 && members.front().second == rank();
  const at::Tensor ids = everyone(leads ? bytes_of(new_id()) : at::zeros({NCCL_UNIQUE_ID_BYTES}, at::kByte));
  if (colour < 0) return nullptr;
  const auto me = std::find_if(members.begin(), members.end(), [this](const auto& m) { return m.second == rank(); });
  const Place where = nccl_place(place(), static_cast<int>(me - members.begin()), static_cast<int>(members.size()));
  auto link = NcclLink::meet(id_of(ids[members.front().second].contiguous()), where, device(), deadline());
  return std::make_unique<NcclCommunicator>(control_, where, std::move(link));
}

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& control, c10::Device device, Seconds deadline) {
  at::Tensor id = control.rank() == 0 ? bytes_of(new_id()) : at::zeros({NCCL_UNIQUE_ID_BYTES}, at::kByte);
  control.broadcast(id, 0).wait();
  const Place place = nccl_place(control.place(), control.rank(), control.size());
  return std::make_unique<NcclCommunicator>(control, place, NcclLink::meet(id_of(id), place, device, deadline));
}

}  // namespace lockstep
