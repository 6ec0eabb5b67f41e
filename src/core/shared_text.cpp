#include "lockstep/core/shared_text.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <ostream>
#include <stdexcept>

namespace lockstep {

/// The head of a text on the heap; its characters and a zero follow.
struct SharedText::Block {
  std::atomic<std::uint32_t> copies;
  std::uint32_t size;

  char* text() { return reinterpret_cast<char*>(this + 1); }
};

SharedText::SharedText(std::string_view text) {
  if (text.empty()) return;
  if (text.size() > UINT32_MAX) throw std::length_error("a text of 4 GiB");
  void* memory = ::operator new(sizeof(Block) + text.size() + 1);
  block_ = new (memory) Block{1, static_cast<std::uint32_t>(text.size())};
  std::memcpy(block_->text(), text.data(), text.size());
  block_->text()[text.size()] = '\0';
}

SharedText::SharedText(const SharedText& other) noexcept : block_(other.block_) {
  if (block_ != nullptr) block_->copies.fetch_add(1, std::memory_order_relaxed);
}

SharedText::~SharedText() {
  // The last one frees what the others have read: acquire sees their release.
  if (block_ == nullptr || block_->copies.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  block_->~Block();
  ::operator delete(block_);
}

std::string_view SharedText::view() const {
  return empty() ? std::string_view() : std::string_view(block_->text(), block_->size);
}

std::ostream& operator<<(std::ostream& out, const SharedText& text) { return out << text.view(); }

SharedText SharedTexts::operator()(std::string_view text) {
  if (text.empty()) return {};
  const auto found = texts_.find(text);
  return found != texts_.end() ? *found : *texts_.emplace(text).first;
}

}  // namespace lockstep
