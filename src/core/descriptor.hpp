// An open file or folder of the operating system as RAII, with the calls that the files of src/core share.
//
// Internal to src/core. Errors carry errno's text and the path.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "lockstep/core/error.hpp"

namespace lockstep {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0666)
      : path_(path), value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (value_ < 0) throw system_error("cannot open", path.string(), errno);
  }
  /// Owns what is open already; -1: nothing is.
  explicit Descriptor(int opened) : value_(opened) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }
  void sync() const {
    // Some network file systems refuse fsync on folders with EINVAL; their rename is ordered by the server.
    if (::fsync(value_) != 0 && errno != EINVAL) throw system_error("cannot flush to disk", path_.string(), errno);
  }
  std::uint64_t regular_size() const {
    struct stat info {};
    if (::fstat(value_, &info) != 0) throw system_error("cannot read the size of", path_.string(), errno);
    if (!S_ISREG(info.st_mode))
      throw Error("not a regular file", path_.string(), "name a file, not a folder or device");
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  std::filesystem::path path_;
  int value_;
};

}  // namespace lockstep
