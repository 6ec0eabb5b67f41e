// Zip archives as weight files are: stored or deflated entries of any size, found through the central directory.
//
// Source: PKWARE's APPNOTE 6.3.9 (4.3 structure, 4.5.3 zip64). Encrypted, split and otherwise packed archives are
// refused by name. An entry's checksum (CRC-32) is compared whenever it is read; PyTorch can be told to write none,
// then all are 0 and has_checksums() says so. Thread-safe to read. Errors name the file and the entry. Memory: what the
// caller gives.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/core/files.hpp"

namespace lockstep {

struct ZipEntry {
  std::uint64_t size = 0, packed = 0;  ///< bytes of the content; of what lies in the file
  std::uint64_t header = 0;            ///< where the entry's local header begins
  std::uint32_t crc = 0;
  bool deflated = false;
};

class ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path);

  const std::map<std::string, ZipEntry, std::less<>>& entries() const { return entries_; }
  bool has(std::string_view name) const { return entries_.contains(name); }
  bool has_checksums() const { return has_checksums_; }
  const std::filesystem::path& path() const { return file_.path(); }

  /// Errors: no such entry, damaged, more than `limit` bytes.
  std::string read_text(std::string_view name, std::uint64_t limit) const;
  /// Fills `into`, which must have the entry's size.
  void read(std::string_view name, std::span<std::uint8_t> into) const;
  /// Errors: no such entry.
  const ZipEntry& entry(std::string_view name) const;

 private:
  struct Directory {
    std::uint64_t at = 0, bytes = 0, entries = 0;
  };
  Directory find_directory() const;
  Directory find_large_directory(std::uint64_t end_record) const;
  void read_directory(const Directory& directory);
  std::uint64_t content_offset(std::string_view name, const ZipEntry& entry) const;
  void inflate_into(std::string_view name, const ZipEntry& entry, std::span<std::uint8_t> into) const;

  RandomAccessFile file_;
  std::map<std::string, ZipEntry, std::less<>> entries_;
  bool has_checksums_ = false;
};

}  // namespace lockstep
