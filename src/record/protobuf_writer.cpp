#include "lockstep/record/protobuf_writer.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little, "fixed-width values are written as they lie in memory");
constexpr int varint_type = 0, fixed64_type = 1, counted_type = 2, fixed32_type = 5;

template <typename Number>
void put(std::string& bytes, Number value) {
  std::array<char, sizeof value> raw;
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

}  // namespace

void ProtobufWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>((value & 0x7F) | 0x80));
  bytes_.push_back(static_cast<char>(value));
}

void ProtobufWriter::key(int field, int wire_type) { varint(static_cast<std::uint64_t>(field << 3 | wire_type)); }

ProtobufWriter& ProtobufWriter::integer(int field, std::int64_t value) {
  key(field, varint_type);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

ProtobufWriter& ProtobufWriter::real64(int field, double value) {
  key(field, fixed64_type);
  put(bytes_, value);
  return *this;
}

ProtobufWriter& ProtobufWriter::real32(int field, float value) {
  key(field, fixed32_type);
  put(bytes_, value);
  return *this;
}

ProtobufWriter& ProtobufWriter::bytes(int field, std::string_view value) {
  key(field, counted_type);
  varint(value.size());
  bytes_.append(value);
  return *this;
}

ProtobufWriter& ProtobufWriter::reals64(int field, std::span<const double> values) {
  key(field, counted_type);
  varint(values.size_bytes());
  for (const double value : values) put(bytes_, value);
  return *this;
}

ProtobufWriter& ProtobufWriter::entry(int field, std::string_view key, const ProtobufWriter& value) {
  return message(field, ProtobufWriter().bytes(1, key).message(2, value));
}

}  // namespace lockstep
