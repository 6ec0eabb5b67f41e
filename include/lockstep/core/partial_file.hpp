// A file on its way: written under its partial name, seen under its own name only once it is whole and on disk.
//
// Destroyed before publish(), it leaves nothing behind; a crash leaves the partial name, which nobody takes for the
// file. One writer, one thread at a time. Errors: errno's text, the final path, a hint.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace lockstep {

class PartialFile {
 public:
  /// Makes (or empties) the file under partial_name(final_path).
  explicit PartialFile(std::filesystem::path final_path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// Where the bytes lie for now: another library may write into the same file.
  const std::filesystem::path& path() const { return partial_; }
  /// Takes the space from the file system now, so that a full disk is met before the work. File systems without such a
  /// call meet it while writing.
  void reserve(std::uint64_t bytes) const;
  /// Behind what append() has written before.
  void append(std::span<const std::uint8_t> bytes);
  void append(std::string_view text);
  void write_at(std::uint64_t offset, std::span<const std::uint8_t> bytes) const;
  /// Flushes to disk, renames, flushes the folder. Once, as the last call.
  void publish();

 private:
  std::filesystem::path final_, partial_;
  std::unique_ptr<class Descriptor> file_;
  std::uint64_t end_ = 0;
  bool published_ = false;
};

}  // namespace lockstep
