// Files that are either whole or absent: writing under a temporary name, flushing to disk, renaming.
//
// All functions throw Error (errno text and hint) and may be called from any thread; two writers of the same final name
// end with one of the two contents whole. Paths are byte strings as the system gives them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

/// Whole content of a regular file. Errors: missing, not a regular file, larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{1} << 32);

/// Writes `content` so that `path` holds either its old or its new content, whole, also after a crash.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The name a file carries while it is being written: ".<name>.partial" beside `final_path`.
std::filesystem::path partial_name(const std::filesystem::path& final_path);

/// Flushes `partial`, a file or a folder whose files are flushed, to disk, renames it to `final_path` and flushes the
/// folder that holds it.
void publish_path(const std::filesystem::path& partial, const std::filesystem::path& final_path);

/// Makes a folder and its parents; an existing folder is fine, an existing file of that name is an Error.
void make_folder(const std::filesystem::path& path);

/// Bytes a process without privileges may still write to the file system that holds `path` (its nearest existing
/// parent).
std::uint64_t free_bytes(const std::filesystem::path& path);

/// A read-only file whose bytes are read by position (pread): no shared file position, so any number of threads may
/// read.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(const std::filesystem::path& path);
  ~RandomAccessFile();
  RandomAccessFile(RandomAccessFile&& other) noexcept;
  RandomAccessFile& operator=(RandomAccessFile&& other) noexcept;
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  /// Fills `into` with the bytes from `offset` on; an Error if the file ends before.
  void read(std::uint64_t offset, std::span<std::uint8_t> into) const;
  /// Reads the whole file once, from begin to end, in blocks of a few MiB; the system is asked for the next one
  /// meanwhile. `visit` gets each and where it begins; false ends the reading.
  using Visit = std::function<bool(std::uint64_t offset, std::span<const std::uint8_t> block)>;
  void read_through(const Visit& visit) const;
  /// Hints to the system's page cache, without effect on what is read: these bytes are wanted soon (the system begins
  /// to read them), or not again. File systems without a page cache pass them over.
  void will_need(std::uint64_t offset, std::uint64_t bytes) const noexcept;
  void will_not_need(std::uint64_t offset, std::uint64_t bytes) const noexcept;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace lockstep
