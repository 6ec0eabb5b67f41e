// A text that never changes and whose copies share its bytes: for tables of millions of rows that name the same path,
// split or reason many times.
//
// A value of 8 bytes; an empty text is nothing more, another one is 9 bytes and its characters on the heap, once for
// all copies (a std::string: 32, and from 16 characters on each copy anew). Reads and compares as a std::string_view,
// and becomes a std::string wherever one is wanted. Any bytes, zeros too; fewer than 2³² of them, else
// std::length_error, and fewer than 2³² copies of one text. Different copies may be used by different threads at once.
#pragma once
#include <fmt/format.h>

#include <compare>
#include <concepts>
#include <iosfwd>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

class SharedText {
 public:
  SharedText() = default;
  SharedText(std::string_view text);
  SharedText(const std::string& text) : SharedText(std::string_view(text)) {}
  SharedText(const char* text) : SharedText(std::string_view(text)) {}
  SharedText(const SharedText& other) noexcept;
  SharedText(SharedText&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedText();

  bool empty() const { return block_ == nullptr; }
  /// Valid while this copy or another one lives.
  std::string_view view() const;
  /// The same, with a zero behind it.
  const char* c_str() const { return empty() ? "" : view().data(); }
  std::string str() const { return std::string(view()); }
  operator std::string_view() const { return view(); }
  operator std::string() const { return str(); }

  bool operator==(const SharedText& other) const { return block_ == other.block_ || view() == other.view(); }
  std::strong_ordering operator<=>(const SharedText& other) const { return view() <=> other.view(); }
  template <std::convertible_to<std::string_view> Text>
  bool operator==(const Text& other) const {
    return view() == std::string_view(other);
  }
  template <std::convertible_to<std::string_view> Text>
  std::strong_ordering operator<=>(const Text& other) const {
    return view() <=> std::string_view(other);
  }

 private:
  struct Block;
  Block* block_ = nullptr;  // shared; null: empty
};

std::ostream& operator<<(std::ostream& out, const SharedText& text);

/// Gives equal texts as copies of one. Used by one thread at a time.
class SharedTexts {
 public:
  SharedText operator()(std::string_view text);

 private:
  std::set<SharedText, std::less<>> texts_;
};

}  // namespace lockstep

template <>
struct fmt::formatter<lockstep::SharedText> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(const lockstep::SharedText& text, Context& context) const {
    return fmt::formatter<std::string_view>::format(text.view(), context);
  }
};
