// All shards of some splits held in memory: read once, and locked there so that nothing else pushes them out.
//
// It is the system's page cache that holds them, so all processes of the machine share one copy, reads stay what they
// are, and nothing is left behind when the process ends, however it ends. One process of a machine does it for all.
// Where the system does not allow locking (ulimit -l), they are read into the page cache but may be pushed out:
// locked() tells. Errors: less memory than the shards take (by the machine and by this process's control groups),
// unreadable shards.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lockstep/data/manifest.hpp"

namespace lockstep {

class LockedShards {
 public:
  LockedShards(const std::filesystem::path& folder, const Manifest& manifest, std::span<const std::string> splits);
  ~LockedShards();
  LockedShards(const LockedShards&) = delete;
  LockedShards& operator=(const LockedShards&) = delete;

  bool locked() const { return locked_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  struct Mapping {
    void* memory;
    std::size_t bytes;
  };
  void hold(const std::filesystem::path& file);
  void release() noexcept;

  std::vector<Mapping> mappings_;
  bool locked_ = true;
  std::int64_t bytes_ = 0;
};

}  // namespace lockstep
