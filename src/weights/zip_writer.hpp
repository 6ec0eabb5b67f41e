// A zip archive as PyTorch writes it: entries stored, their contents at multiples of 64 bytes, so that they can be
// mapped.
//
// Source: PKWARE's APPNOTE 6.3.9. Zip64 records appear only where 32 bits do not hold a size or an offset. The file
// shows under its name when finish() has returned; an unfinished one leaves nothing. One thread. Errors: those of the
// disk.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/core/partial_file.hpp"

namespace lockstep {

class ZipWriter {
 public:
  /// `largest`: sizes and offsets from there on go into zip64 records; smaller only in tests.
  explicit ZipWriter(const std::filesystem::path& path, std::uint64_t largest = 0xFFFFFFFF)
      : file_(path), largest_(largest) {}

  void add(std::string_view name, std::span<const std::uint8_t> content);
  void add(std::string_view name, std::string_view content);
  void finish();

 private:
  void append(const std::string& bytes);

  PartialFile file_;
  std::uint64_t largest_, at_ = 0, entries_ = 0;
  std::string directory_;
};

}  // namespace lockstep
