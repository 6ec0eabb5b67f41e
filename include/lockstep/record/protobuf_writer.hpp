// The bytes of a protocol-buffer message, field after field, without a library or generated code.
//
// Source: Protocol Buffers, "Encoding" (protobuf.dev/programming-guides/encoding): a field is its number and wire type
// as a varint, then the value. Every value that is given is written, zeros too, so that the one of a oneof shows. Field
// numbers come from the .proto files of those who read. A value.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

class ProtobufWriter {
 public:
  /// int32, int64, uint64, bool, enum: a varint (negative numbers take ten bytes).
  ProtobufWriter& integer(int field, std::int64_t value);
  ProtobufWriter& real64(int field, double value);
  ProtobufWriter& real32(int field, float value);
  /// string (UTF-8) and bytes.
  ProtobufWriter& bytes(int field, std::string_view value);
  ProtobufWriter& message(int field, const ProtobufWriter& value) { return bytes(field, value.bytes_); }
  /// repeated double, packed.
  ProtobufWriter& reals64(int field, std::span<const double> values);
  /// An entry of a map with strings as keys: a message of the key (field 1) and the value (field 2).
  ProtobufWriter& entry(int field, std::string_view key, const ProtobufWriter& value);

  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  void key(int field, int wire_type);

  std::string bytes_;
};

}  // namespace lockstep
