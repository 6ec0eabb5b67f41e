#include "weights/pickle_writer.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace lockstep {
namespace {

template <typename Number>
void put(std::string& bytes, Number value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes.append(raw, sizeof value);
}

}  // namespace

void PickleWriter::global(std::string_view module, std::string_view name) {
  bytes_.append("c").append(module).append("\n").append(name).append("\n");
}

void PickleWriter::text(std::string_view words) {
  bytes_ += 'X';
  put(bytes_, static_cast<std::uint32_t>(words.size()));
  bytes_ += words;
}

void PickleWriter::integer(std::int64_t number) {
  if (number <= std::numeric_limits<std::int32_t>::max()) {
    bytes_ += 'J';
    put(bytes_, static_cast<std::int32_t>(number));
  } else {
    bytes_ += "\x8a\x08";
    put(bytes_, number);
  }
}

void PickleWriter::tuple(const std::vector<std::int64_t>& numbers) {
  bytes_ += '(';
  for (const std::int64_t number : numbers) integer(number);
  bytes_ += 't';
}

void PickleWriter::begin_dictionary() {
  bytes_ = "\x80\x02";
  global("collections", "OrderedDict");
  bytes_ += ")R(";
}

void PickleWriter::add_tensor(std::string_view name, std::string_view storage_type, std::string_view key,
                              std::int64_t elements, const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> strides(sizes.size(), 1);
  for (std::size_t axis = sizes.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * std::max<std::int64_t>(sizes[axis], 1);
  const std::size_t dot = storage_type.rfind('.');
  text(name);
  global("torch._utils", "_rebuild_tensor_v2");
  bytes_ += "((";
  text("storage");
  global(storage_type.substr(0, dot), storage_type.substr(dot + 1));
  text(key);
  text("cpu");
  integer(elements);
  bytes_ += "tQ";
  integer(0);
  tuple(sizes);
  tuple(strides);
  bytes_ += '\x89';  // needs no gradient
  global("collections", "OrderedDict");
  bytes_ += ")RtR";  // no hooks
}

std::string PickleWriter::finish() { return std::move(bytes_) + "u."; }

}  // namespace lockstep
