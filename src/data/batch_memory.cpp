#include "data/batch_memory.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace lockstep {
namespace {

constexpr std::int64_t huge_page = std::int64_t{2} << 20;

at::Tensor huge_block(std::int64_t bytes) {
  const std::int64_t whole = (bytes + huge_page - 1) / huge_page * huge_page;
  void* memory = std::aligned_alloc(huge_page, static_cast<std::size_t>(whole));
  if (memory == nullptr) throw std::bad_alloc();
  ::madvise(memory, static_cast<std::size_t>(whole), MADV_HUGEPAGE);  // a wish; refused, it changes nothing
  return at::from_blob(
      memory, {bytes}, [](void* block) { std::free(block); }, at::TensorOptions().dtype(at::kByte));
}

}  // namespace

at::Tensor BatchMemory::fresh(std::int64_t bytes) const {
  if (!pinned_ && bytes >= huge_page) return huge_block(bytes);
  return at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(pinned_));
}

at::Tensor BatchMemory::values(std::int64_t n, at::ScalarType type) const {
  return at::empty({n}, at::TensorOptions().dtype(type).pinned_memory(pinned_));
}

at::Tensor BatchMemory::images(std::int64_t n, std::int64_t channels, std::int64_t side, at::ScalarType type) {
  const std::int64_t bytes = n * channels * side * side * static_cast<std::int64_t>(c10::elementSize(type));
  const auto shaped = [&](const at::Tensor& block) {
    return block.narrow(0, 0, bytes).view(type).view({n, side, side, channels}).permute({0, 3, 1, 2});
  };
  for (const at::Tensor& block : blocks_) {
    if (block.storage().use_count() != 1 || block.numel() < bytes) continue;
    std::atomic_thread_fence(std::memory_order_acquire);  // what the last holder read, it has read
    return shaped(block);
  }
  std::erase_if(blocks_, [](const at::Tensor& block) { return block.storage().use_count() == 1; });  // all too small
  blocks_.push_back(fresh(bytes));
  return shaped(blocks_.back());
}

}  // namespace lockstep
