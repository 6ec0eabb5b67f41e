#include "weights/zip_writer.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep {
namespace {

constexpr std::uint64_t alignment = 64;
constexpr std::uint16_t needs_zip = 20, needs_zip64 = 45, utf8_names = 0x0800;
constexpr std::uint32_t new_year_1980 = 0x00210000;  // the earliest date there is: equal content gives equal files
constexpr std::uint32_t in_zip64 = 0xFFFFFFFF;

template <typename Number>
void put(std::string& bytes, Number value) {
  std::array<char, sizeof value> raw;
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

/// The extra field that holds these numbers with 64 bits.
std::string zip64_field(std::initializer_list<std::uint64_t> numbers) {
  std::string field;
  put<std::uint16_t>(field, 1);
  put(field, static_cast<std::uint16_t>(8 * numbers.size()));
  for (const std::uint64_t number : numbers) put(field, number);
  return field;
}

/// What stands in both headers of an entry from its flags to its name's length.
std::string common_fields(std::uint32_t crc, std::uint32_t size, std::string_view name) {
  std::string fields;
  put(fields, utf8_names);
  put<std::uint16_t>(fields, 0);  // stored
  put(fields, new_year_1980);
  put(fields, crc);
  put(fields, size);
  put(fields, size);
  put(fields, static_cast<std::uint16_t>(name.size()));
  return fields;
}

/// An extra field that brings what follows it to the alignment; its own head takes 4 bytes.
std::string padding(std::uint64_t at) {
  const std::uint64_t bytes = (alignment - (at + 4) % alignment) % alignment;
  std::string field = "FB";  // PyTorch's name for it
  put(field, static_cast<std::uint16_t>(bytes));
  return field + std::string(bytes, 'Z');
}

}  // namespace

void ZipWriter::append(const std::string& bytes) {
  file_.append(bytes);
  at_ += bytes.size();
}

void ZipWriter::add(std::string_view name, std::span<const std::uint8_t> content) {
  const bool large = content.size() >= largest_, far = at_ >= largest_;
  const auto crc = static_cast<std::uint32_t>(crc32_z(0, content.data(), content.size()));
  const std::uint32_t size = large ? in_zip64 : static_cast<std::uint32_t>(content.size());
  const std::string fields = common_fields(crc, size, name);

  std::string in_directory = large ? zip64_field({content.size(), content.size()}) : "";
  if (far) in_directory = large ? zip64_field({content.size(), content.size(), at_}) : zip64_field({at_});
  put<std::uint32_t>(directory_, 0x02014b50);
  put(directory_, needs_zip64);  // made by
  put(directory_, large || far ? needs_zip64 : needs_zip);
  directory_ += fields;
  put(directory_, static_cast<std::uint16_t>(in_directory.size()));
  directory_.append(10, '\0');  // no comment, first disk, no attributes
  put(directory_, far ? in_zip64 : static_cast<std::uint32_t>(at_));
  directory_.append(name).append(in_directory);
  ++entries_;

  std::string header;
  put<std::uint32_t>(header, 0x04034b50);
  put(header, large ? needs_zip64 : needs_zip);
  header += fields;
  std::string extra = large ? zip64_field({content.size(), content.size()}) : "";
  extra += padding(at_ + header.size() + 2 + name.size() + extra.size());
  put(header, static_cast<std::uint16_t>(extra.size()));
  append(header.append(name).append(extra));
  file_.append(content);
  at_ += content.size();
}

void ZipWriter::add(std::string_view name, std::string_view content) {
  add(name, std::span(reinterpret_cast<const std::uint8_t*>(content.data()), content.size()));
}

void ZipWriter::finish() {
  const std::uint64_t begin = at_, bytes = directory_.size();
  append(directory_);
  const bool large = begin >= largest_ || bytes >= largest_ || entries_ >= 0xFFFF;
  std::string end;
  if (large) {
    put<std::uint32_t>(end, 0x06064b50);
    put<std::uint64_t>(end, 44);  // bytes of this record that follow
    put(end, needs_zip64);
    put(end, needs_zip64);
    put<std::uint64_t>(end, 0);  // this disk, the directory's disk
    for (const std::uint64_t number : {entries_, entries_, bytes, begin}) put(end, number);
    put<std::uint32_t>(end, 0x07064b50);
    put<std::uint32_t>(end, 0);
    put<std::uint64_t>(end, begin + bytes);
    put<std::uint32_t>(end, 1);  // disks
  }
  const auto count = static_cast<std::uint16_t>(std::min<std::uint64_t>(entries_, 0xFFFF));
  put<std::uint32_t>(end, 0x06054b50);
  put<std::uint32_t>(end, 0);  // this disk, the directory's disk
  put(end, count);
  put(end, count);
  put(end, large ? in_zip64 : static_cast<std::uint32_t>(bytes));
  put(end, large ? in_zip64 : static_cast<std::uint32_t>(begin));
  put<std::uint16_t>(end, 0);  // no comment
  append(end);
  file_.publish();
}

}  // namespace lockstep
