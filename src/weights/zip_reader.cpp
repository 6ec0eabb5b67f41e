#include "weights/zip_reader.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t end_signature = 0x06054b50, large_end_signature = 0x06064b50,
                        large_locator_signature = 0x07064b50, directory_signature = 0x02014b50,
                        local_signature = 0x04034b50;
constexpr std::uint64_t end_bytes = 22, large_end_bytes = 56, large_locator_bytes = 20, directory_bytes = 46,
                        local_bytes = 30;
constexpr std::uint64_t longest_comment = 65535;
constexpr std::uint32_t in_zip64 = 0xFFFFFFFF;   // "look into the extra field"
constexpr std::uint64_t deflate_at_most = 1032;  // bytes out of one byte in: zlib's technical notes
constexpr std::uint16_t zip64_field = 1, encrypted = 1, stored = 0, deflated = 8;

template <typename Number>
Number number_at(Bytes bytes, std::size_t at) {
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Error damaged(const std::string& what, const std::filesystem::path& file) {
  return Error("not a whole zip file: " + what, file.string(), "it was cut short or changed: copy or save it again");
}

std::vector<std::uint8_t> read_block(const RandomAccessFile& file, std::uint64_t offset, std::uint64_t bytes,
                                     const char* what) {
  if (offset > file.size() || bytes > file.size() - offset)
    throw damaged(fmt::format("{} reaches beyond the end", what), file.path());
  std::vector<std::uint8_t> block(bytes);
  file.read(offset, block);
  return block;
}

/// The numbers of the zip64 field, in its fixed order, that the 32-bit fields leave to it.
void read_zip64(Bytes extra, ZipEntry& entry, const std::filesystem::path& file) {
  while (extra.size() >= 4) {
    const auto id = number_at<std::uint16_t>(extra, 0);
    const std::size_t length = number_at<std::uint16_t>(extra, 2);
    if (length > extra.size() - 4) break;
    Bytes field = extra.subspan(4, length);
    extra = extra.subspan(4 + length);
    if (id != zip64_field) continue;
    for (std::uint64_t* number : {&entry.size, &entry.packed, &entry.header}) {
      if (*number != in_zip64) continue;
      if (field.size() < 8) throw damaged("a zip64 field that is too short", file);
      *number = number_at<std::uint64_t>(field, 0);
      field = field.subspan(8);
    }
    return;
  }
}

}  // namespace

ZipReader::ZipReader(const std::filesystem::path& path) : file_(path) {
  read_directory(find_directory());
  has_checksums_ = std::ranges::any_of(entries_, [](const auto& pair) { return pair.second.crc != 0; });
}

ZipReader::Directory ZipReader::find_directory() const {
  if (file_.size() < end_bytes) throw damaged(fmt::format("{} bytes", file_.size()), file_.path());
  const std::uint64_t tail_bytes = std::min(file_.size(), end_bytes + longest_comment);
  const std::uint64_t begin = file_.size() - tail_bytes;
  const std::vector<std::uint8_t> tail = read_block(file_, begin, tail_bytes, "its end");
  for (std::uint64_t at = tail_bytes - end_bytes + 1; at-- > 0;) {
    if (number_at<std::uint32_t>(tail, at) != end_signature) continue;
    if (at + end_bytes + number_at<std::uint16_t>(tail, at + 20) != tail_bytes) continue;
    Directory found{number_at<std::uint32_t>(tail, at + 16), number_at<std::uint32_t>(tail, at + 12),
                    number_at<std::uint16_t>(tail, at + 10)};
    if (found.at == in_zip64 || found.bytes == in_zip64 || found.entries == 0xFFFF)
      return find_large_directory(begin + at);
    return found;
  }
  throw damaged("it does not end with a directory", file_.path());
}

ZipReader::Directory ZipReader::find_large_directory(std::uint64_t end_record) const {
  if (end_record < large_locator_bytes) throw damaged("no zip64 directory", file_.path());
  const auto locator = read_block(file_, end_record - large_locator_bytes, large_locator_bytes, "its zip64 locator");
  if (number_at<std::uint32_t>(locator, 0) != large_locator_signature)
    throw damaged("no zip64 directory", file_.path());
  const auto end =
      read_block(file_, number_at<std::uint64_t>(locator, 8), large_end_bytes, "its zip64 directory's record");
  if (number_at<std::uint32_t>(end, 0) != large_end_signature) throw damaged("no zip64 directory", file_.path());
  return {number_at<std::uint64_t>(end, 48), number_at<std::uint64_t>(end, 40), number_at<std::uint64_t>(end, 32)};
}

void ZipReader::read_directory(const Directory& directory) {
  const std::vector<std::uint8_t> block = read_block(file_, directory.at, directory.bytes, "its directory");
  Bytes rest = block;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (rest.size() < directory_bytes || number_at<std::uint32_t>(rest, 0) != directory_signature)
      throw damaged(fmt::format("entry {} of {} is missing in its directory", i, directory.entries), file_.path());
    const std::size_t name_bytes = number_at<std::uint16_t>(rest, 28), extra_bytes = number_at<std::uint16_t>(rest, 30),
                      comment_bytes = number_at<std::uint16_t>(rest, 32);
    const std::size_t all = directory_bytes + name_bytes + extra_bytes + comment_bytes;
    if (all > rest.size()) throw damaged("an entry reaches beyond its directory", file_.path());
    const std::string name(reinterpret_cast<const char*>(rest.data()) + directory_bytes, name_bytes);
    const auto flags = number_at<std::uint16_t>(rest, 8), method = number_at<std::uint16_t>(rest, 10);
    ZipEntry entry{number_at<std::uint32_t>(rest, 24), number_at<std::uint32_t>(rest, 20),
                   number_at<std::uint32_t>(rest, 42), number_at<std::uint32_t>(rest, 16), method == deflated};
    if ((flags & encrypted) != 0)
      throw Error(fmt::format("entry {} is encrypted", name), file_.path().string(),
                  "save the file without a password");
    if (method != stored && method != deflated)
      throw Error(fmt::format("entry {} is packed by method {}, which is not read", name, method),
                  file_.path().string(), "save the file anew, stored or deflated");
    read_zip64(rest.subspan(directory_bytes + name_bytes, extra_bytes), entry, file_.path());
    const bool fits = entry.deflated ? entry.size / deflate_at_most <= entry.packed : entry.size == entry.packed;
    if (!fits || entry.packed > file_.size())
      throw damaged(fmt::format("entry {} has {} bytes in {}", name, entry.size, entry.packed), file_.path());
    if (!entries_.emplace(name, entry).second)
      throw damaged(fmt::format("entry {} stands there twice", name), file_.path());
    rest = rest.subspan(all);
  }
}

const ZipEntry& ZipReader::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw damaged(fmt::format("no entry {}", name), file_.path());
  return found->second;
}

std::uint64_t ZipReader::content_offset(std::string_view name, const ZipEntry& entry) const {
  const auto header = read_block(file_, entry.header, local_bytes, "an entry's header");
  if (number_at<std::uint32_t>(header, 0) != local_signature)
    throw damaged(fmt::format("no entry {} where it should be", name), file_.path());
  const std::uint64_t offset =
      entry.header + local_bytes + number_at<std::uint16_t>(header, 26) + number_at<std::uint16_t>(header, 28);
  if (offset > file_.size() || entry.packed > file_.size() - offset)
    throw damaged(fmt::format("entry {} reaches beyond the end", name), file_.path());
  return offset;
}

void ZipReader::inflate_into(std::string_view name, const ZipEntry& entry, std::span<std::uint8_t> into) const {
  constexpr std::uint64_t piece = std::uint64_t{1} << 20;
  std::uint64_t offset = content_offset(name, entry), left = entry.packed;
  std::vector<std::uint8_t> packed(std::min(piece, left));
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();  // negative: without zlib's own header
  int status = Z_OK;
  std::uint64_t written = 0;
  while (status == Z_OK && (left > 0 || stream.avail_in > 0)) {
    if (stream.avail_in == 0) {
      const std::uint64_t bytes = std::min(piece, left);
      file_.read(offset, std::span(packed).first(bytes));
      offset += bytes;
      left -= bytes;
      stream.next_in = packed.data();
      stream.avail_in = static_cast<uInt>(bytes);
    }
    const std::uint64_t room = std::min<std::uint64_t>(into.size() - written, std::uint64_t{1} << 30);
    stream.next_out = into.data() + written;
    stream.avail_out = static_cast<uInt>(room);
    status = inflate(&stream, Z_NO_FLUSH);
    written += room - stream.avail_out;
    if (status == Z_BUF_ERROR && stream.avail_in == 0) status = Z_OK;  // it wants more bytes
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || written != into.size())
    throw damaged(fmt::format("entry {} cannot be unpacked", name), file_.path());
}

void ZipReader::read(std::string_view name, std::span<std::uint8_t> into) const {
  const ZipEntry& found = entry(name);
  if (found.size != into.size())
    throw damaged(fmt::format("entry {} has {} bytes, {} expected", name, found.size, into.size()), file_.path());
  if (found.deflated) {
    inflate_into(name, found, into);
  } else {
    file_.read(content_offset(name, found), into);
  }
  if (has_checksums_ && crc32_z(0, into.data(), into.size()) != found.crc)
    throw damaged(fmt::format("entry {} does not have its checksum", name), file_.path());
}

std::string ZipReader::read_text(std::string_view name, std::uint64_t limit) const {
  const ZipEntry& found = entry(name);
  if (found.size > limit)
    throw damaged(fmt::format("entry {} has {} bytes, at most {} expected", name, found.size, limit), file_.path());
  std::string text(found.size, '\0');
  read(name, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return text;
}

}  // namespace lockstep
