#include "core/hdf5_attributes.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <string_view>

#include "core/hdf5_texts.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep::hdf5 {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint16_t attribute_message = 0x0C, continuation_message = 0x10;
constexpr std::uint64_t longest_header = std::uint64_t{16} << 20;
constexpr std::uint8_t shared_message = 2;  // of a message's flags

[[noreturn]] void fail(const std::string& what, const RandomAccessFile& file) {
  throw Error("damaged HDF5 header: " + what, file.path().string(), "copy or write the file again");
}

template <typename Number>
Number number_at(Bytes bytes, std::uint64_t at, const RandomAccessFile& file) {
  Number value;
  if (at > bytes.size() || sizeof value > bytes.size() - at) fail("it ends in the middle of a message", file);
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// A part of the file, and where it begins.
struct Block {
  std::uint64_t offset = 0;
  std::vector<std::uint8_t> bytes;
};

Block read_block(const RandomAccessFile& file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset || size > longest_header)
    fail("it reaches beyond the file", file);
  Block block{offset, std::vector<std::uint8_t>(size)};
  file.read(offset, block.bytes);
  return block;
}

/// One message of a header: what it holds and where that lies in the file.
struct Message {
  std::uint16_t type = 0;
  std::uint8_t flags = 0;
  std::uint64_t offset = 0;
  Bytes bytes;
};

/// All messages of an object's header, through its continuations.
class Header {
 public:
  Header(const RandomAccessFile& file, std::uint64_t at) : file_(file) {
    const Block start = read_block(file, at, std::min<std::uint64_t>(64, file.size() - std::min(at, file.size())));
    if (start.bytes.size() >= 4 && std::memcmp(start.bytes.data(), "OHDR", 4) == 0) {
      open_second_version(start);
    } else {
      if (number_at<std::uint8_t>(start.bytes, 0, file) != 1) fail("of an unknown version", file);
      add(at + 16, number_at<std::uint32_t>(start.bytes, 8, file));
    }
    for (std::size_t i = 0; i < blocks_.size(); ++i) read_messages(blocks_[i]);
  }

  const std::vector<Message>& messages() const { return messages_; }

 private:
  void open_second_version(const Block& start) {
    second_ = true;
    const auto flags = number_at<std::uint8_t>(start.bytes, 5, file_);
    const std::uint64_t sizes_at = 6 + ((flags & 0x20) != 0 ? 16 : 0) + ((flags & 0x10) != 0 ? 4 : 0);
    const std::uint64_t width = std::uint64_t{1} << (flags & 3);
    has_order_ = (flags & 4) != 0;
    std::uint64_t size = 0;
    for (std::uint64_t i = 0; i < width; ++i)
      size |= std::uint64_t{number_at<std::uint8_t>(start.bytes, sizes_at + i, file_)} << (8 * i);
    add(start.offset + sizes_at + width, size);
  }

  /// A continuation may name one that was read already.
  void add(std::uint64_t offset, std::uint64_t size) {
    taken_ += size;
    if (taken_ > longest_header || blocks_.size() > 4096) fail("it does not end", file_);
    blocks_.push_back(read_block(file_, offset, size));
  }

  void read_messages(const Block& block) {
    const std::uint64_t head = second_ ? (has_order_ ? 6 : 4) : 8;
    const std::uint64_t size = block.bytes.size();
    for (std::uint64_t at = 0; size >= head && at <= size - head;) {
      Message message;
      const Bytes bytes(block.bytes);
      message.type = second_ ? number_at<std::uint8_t>(bytes, at, file_) : number_at<std::uint16_t>(bytes, at, file_);
      const std::uint64_t length = number_at<std::uint16_t>(bytes, at + (second_ ? 1 : 2), file_);
      message.flags = number_at<std::uint8_t>(bytes, at + (second_ ? 3 : 4), file_);
      at += head;
      if (length > size - at) fail("a message reaches beyond it", file_);
      message.offset = block.offset + at;
      message.bytes = bytes.subspan(at, length);
      at += length;
      if (message.type == continuation_message) follow(message);
      messages_.push_back(message);
    }
  }

  /// What a continuation names; in the second version between a signature and a checksum.
  void follow(const Message& message) {
    const auto offset = number_at<std::uint64_t>(message.bytes, 0, file_);
    const auto size = number_at<std::uint64_t>(message.bytes, 8, file_);
    const std::uint64_t frame = second_ ? 8 : 0;
    if (size < frame || offset > file_.size()) fail("a continuation that is none", file_);
    add(offset + (second_ ? 4 : 0), size - frame);
  }

  const RandomAccessFile& file_;
  bool second_ = false, has_order_ = false;
  std::uint64_t taken_ = 0;
  std::deque<Block> blocks_;  // grows while it is read; the messages point into it
  std::vector<Message> messages_;
};

/// Cuts an attribute's message into its parts, one after the other.
class AttributeParts {
 public:
  AttributeParts(const Message& message, const RandomAccessFile& file) : message_(message), file_(file) {
    const auto version = number<std::uint8_t>(0);
    if (version < 1 || version > 3) fail("an attribute of an unknown version", file);
    if ((message.flags & shared_message) != 0 || (version > 1 && number<std::uint8_t>(1) != 0))
      fail("an attribute whose type lies elsewhere, which is not read", file);
    step_ = version == 1 ? 8 : 1;
    at_ = version == 3 ? 9 : 8;
    const auto name_bytes = number<std::uint16_t>(2), type_bytes = number<std::uint16_t>(4),
               space_bytes = number<std::uint16_t>(6);
    const Bytes text = take(name_bytes);
    name.assign(text.begin(), std::find(text.begin(), text.end(), 0));
    type = take(type_bytes);
    space = take(space_bytes);
    offset = message.offset + at_;
    room = message.bytes.size() - at_;
  }

  std::string name;
  Bytes type, space;
  std::uint64_t offset = 0, room = 0;  ///< of the elements: where in the file, at most how many bytes

 private:
  template <typename Number>
  Number number(std::uint64_t at) const {
    return number_at<Number>(message_.bytes, at, file_);
  }
  Bytes take(std::uint64_t size) {
    const std::uint64_t padded = (size + step_ - 1) / step_ * step_;
    if (padded > message_.bytes.size() - at_) fail("it ends in the middle of an attribute", file_);
    const Bytes part = message_.bytes.subspan(at_, size);
    at_ += padded;
    return part;
  }

  const Message& message_;
  const RandomAccessFile& file_;
  std::uint64_t at_ = 0, step_ = 1;
};

std::uint64_t elements_of(Bytes space, const RandomAccessFile& file) {
  const auto version = number_at<std::uint8_t>(space, 0, file), axes = number_at<std::uint8_t>(space, 1, file);
  if (version == 2 && number_at<std::uint8_t>(space, 3, file) == 2) return 0;  // the null space
  std::uint64_t count = 1;
  for (std::uint64_t axis = 0; axis < axes; ++axis) {
    const auto size = number_at<std::uint64_t>(space, (version == 1 ? 8 : 4) + 8 * axis, file);
    if (__builtin_mul_overflow(count, size, &count)) fail("an attribute of an impossible shape", file);
  }
  return count;
}

std::vector<std::string> texts_of(const AttributeParts& attribute, const RandomAccessFile& file) {
  const std::uint64_t count = elements_of(attribute.space, file);
  if (count == 0) return {};
  const auto kind = number_at<std::uint8_t>(attribute.type, 0, file) & 0x0F;
  const auto what = number_at<std::uint8_t>(attribute.type, 1, file) & 0x0F;
  const auto size = number_at<std::uint32_t>(attribute.type, 4, file);
  constexpr int fixed_text = 3, variable_length = 9, of_characters = 1;
  const bool variable = kind == variable_length && what == of_characters && size == text_reference_bytes;
  if ((kind != fixed_text && !variable) || size == 0)
    throw Error("attribute " + attribute.name + " does not hold strings", file.path().string(),
                "give a file of the expected kind, or write it again");
  if (count > attribute.room / size) fail("an attribute that is longer than its message", file);
  std::vector<std::string> texts;
  if (variable) {
    read_texts_at(file, attribute.offset, count, [&](std::size_t, std::string_view text) { texts.emplace_back(text); });
    return texts;
  }
  const Block block = read_block(file, attribute.offset, count * size);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto begin = block.bytes.begin() + static_cast<std::ptrdiff_t>(i * size);
    const auto end = std::find(begin, begin + static_cast<std::ptrdiff_t>(size), 0);
    texts.emplace_back(begin, end);
  }
  return texts;
}

}  // namespace

std::optional<std::vector<std::string>> read_text_attribute(const RandomAccessFile& file, std::uint64_t header,
                                                            std::string_view name) {
  const Header messages(file, header);
  for (const Message& message : messages.messages()) {
    if (message.type != attribute_message) continue;
    const AttributeParts attribute(message, file);
    if (attribute.name == name) return texts_of(attribute, file);
  }
  return std::nullopt;
}

}  // namespace lockstep::hdf5
