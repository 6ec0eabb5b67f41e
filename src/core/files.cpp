#include "lockstep/core/files.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/descriptor.hpp"
#include "lockstep/core/partial_file.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

void read_exactly(int descriptor, const fs::path& path, std::uint64_t offset, std::span<std::uint8_t> into) {
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw system_error("cannot read", path.string(), errno);
    }
    if (got == 0) {
      throw Error("file ends at byte " + std::to_string(offset) + ", " + std::to_string(into.size()) + " more expected",
                  path.string(), "the file was cut short: copy or pack it again");
    }
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t limit) {
  const Descriptor file(path, O_RDONLY);
  const std::uint64_t size = file.regular_size();
  if (size > limit) {
    throw Error("file of " + std::to_string(size) + " bytes, at most " + std::to_string(limit) + " expected",
                path.string(), "check that this is the right file");
  }
  std::string content(size, '\0');
  read_exactly(file.get(), path, 0, {reinterpret_cast<std::uint8_t*>(content.data()), content.size()});
  return content;
}

fs::path partial_name(const fs::path& final_path) {
  return final_path.parent_path() / ("." + final_path.filename().string() + ".partial");
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  PartialFile file(path);
  file.append(content);
  file.publish();
}

void publish_path(const fs::path& partial, const fs::path& final_path) {
  Descriptor(partial, O_RDONLY).sync();
  if (::rename(partial.c_str(), final_path.c_str()) != 0)
    throw system_error("cannot rename to", final_path.string(), errno);
  const fs::path folder = final_path.parent_path().empty() ? fs::path(".") : final_path.parent_path();
  Descriptor(folder, O_RDONLY | O_DIRECTORY).sync();
}

void make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) throw system_error("cannot make the folder", path.string(), code.value());
}

std::uint64_t free_bytes(const fs::path& path) {
  fs::path existing = fs::absolute(path);
  while (!fs::exists(existing) && existing.has_relative_path()) existing = existing.parent_path();
  struct statvfs info {};
  if (::statvfs(existing.c_str(), &info) != 0)
    throw system_error("cannot read free space of", existing.string(), errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

RandomAccessFile::RandomAccessFile(const fs::path& path) : path_(path) {
  Descriptor file(path, O_RDONLY);
  size_ = file.regular_size();
  descriptor_ = file.release();
}

RandomAccessFile::~RandomAccessFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RandomAccessFile::RandomAccessFile(RandomAccessFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(std::exchange(other.size_, 0)) {}

RandomAccessFile& RandomAccessFile::operator=(RandomAccessFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

void RandomAccessFile::read(std::uint64_t offset, std::span<std::uint8_t> into) const {
  read_exactly(descriptor_, path_, offset, into);
}

void RandomAccessFile::read_through(const Visit& visit) const {
  constexpr std::uint64_t block_bytes = std::uint64_t{4} << 20;
  std::vector<std::uint8_t> block;
  for (std::uint64_t offset = 0; offset < size_; offset += block.size()) {
    block.resize(std::min(block_bytes, size_ - offset));
    will_need(offset + block.size(), block_bytes);
    read(offset, block);
    if (!visit(offset, block)) return;
  }
}

void RandomAccessFile::will_need(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

void RandomAccessFile::will_not_need(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  constexpr std::uint64_t page = 4096;  // or a multiple; the system passes over pages that it is told of in part
  const std::uint64_t begin = offset / page * page, end = (offset + bytes + page - 1) / page * page;
  ::posix_fadvise(descriptor_, static_cast<off_t>(begin), static_cast<off_t>(end - begin), POSIX_FADV_DONTNEED);
}

}  // namespace lockstep
