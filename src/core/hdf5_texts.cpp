#include "core/hdf5_texts.hpp"

#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "lockstep/core/error.hpp"

namespace lockstep::hdf5 {
namespace {

using Bytes = std::span<const std::uint8_t>;

[[noreturn]] void fail(const char* what, const RandomAccessFile& file) {
  throw Error(std::string("damaged texts: ") + what, file.path().string(),
              "copy the file again, or pack the data set again");
}

template <typename Number>
Number number_at(Bytes bytes, std::size_t at) {
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// Refuses a block that reaches beyond the file before memory is taken for it.
std::vector<std::uint8_t> read_block(const RandomAccessFile& file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset) fail("a block reaches beyond the file", file);
  std::vector<std::uint8_t> block(size);
  file.read(offset, block);
  return block;
}

/// One collection of the global heap: its objects by their numbers.
class Collection {
 public:
  static constexpr std::size_t header_bytes = 16;

  Collection(const RandomAccessFile& file, std::uint64_t address) {
    const std::vector<std::uint8_t> header = read_block(file, address, header_bytes);
    if (std::memcmp(header.data(), "GCOL", 4) != 0) fail("no heap where one should be", file);
    const auto size = number_at<std::uint64_t>(header, 8);
    if (size < header_bytes) fail("a heap smaller than its header", file);
    block_ = read_block(file, address, size);
    for (std::size_t at = header_bytes; block_.size() - at >= object_bytes;) {
      const auto number = number_at<std::uint16_t>(block_, at);
      if (number == 0) break;  // free space, the rest
      const auto length = number_at<std::uint64_t>(block_, at + 8);
      const std::size_t room = block_.size() - at - object_bytes;
      if (length > room) fail("an object larger than its heap", file);
      objects_[number] = Bytes(block_).subspan(at + object_bytes, length);
      const std::size_t step = object_bytes + (length + 7) / 8 * 8;
      if (step > block_.size() - at) break;
      at += step;
    }
  }

  std::string_view text(std::uint32_t number, std::uint32_t length, const RandomAccessFile& file) const {
    const auto object = objects_.find(number);
    if (object == objects_.end() || length > object->second.size()) fail("a text that is not in its heap", file);
    return {reinterpret_cast<const char*>(object->second.data()), length};
  }

 private:
  static constexpr std::size_t object_bytes = 16;  // number, references, size

  std::vector<std::uint8_t> block_;
  std::unordered_map<std::uint32_t, Bytes> objects_;
};

}  // namespace

void read_texts_at(const RandomAccessFile& file, std::uint64_t offset, std::size_t count,
                   const std::function<void(std::size_t, std::string_view)>& visit) {
  if (count > file.size() / text_reference_bytes) fail("more of them than the file has bytes for", file);
  const std::vector<std::uint8_t> references = read_block(file, offset, count * text_reference_bytes);
  std::optional<Collection> heap;  // texts lie in the order in which they were written
  std::uint64_t heap_address = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto length = number_at<std::uint32_t>(references, i * text_reference_bytes);
    const auto address = number_at<std::uint64_t>(references, i * text_reference_bytes + 4);
    const auto number = number_at<std::uint32_t>(references, i * text_reference_bytes + 12);
    std::string_view text;
    if (length > 0) {
      if (!heap || address != heap_address) heap.emplace(file, address);
      heap_address = address;
      text = heap->text(number, length, file);
    }
    visit(i, text.substr(0, text.find('\0')));  // as the library ends them
  }
}

}  // namespace lockstep::hdf5
