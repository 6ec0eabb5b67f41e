#include "lockstep/data/locked_shards.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/data/staged_shards.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

/// Into the page cache, by plain reading: an unreadable disk is an Error here, and would be a signal in a mapping.
void read_through(const fs::path& path) {
  RandomAccessFile(path).read_through([](std::uint64_t, std::span<const std::uint8_t>) { return true; });
}

}  // namespace

LockedShards::LockedShards(const fs::path& folder, const Manifest& manifest, std::span<const std::string> splits) {
  const std::int64_t needed = shard_bytes(manifest, splits), available = available_memory_bytes();
  if (needed > available) {
    throw Error(fmt::format("the shards take {} MiB, {} MiB of memory are available on {}", (needed >> 20) + 1,
                            available >> 20, host_name()),
                "--cache ram", "ask for more memory, or use --cache page, which keeps what fits");
  }
  try {
    for (const std::string& split : splits) {
      for (const ShardEntry& shard : manifest.split(split).shards) hold(folder / shard.file);
    }
  } catch (...) {
    release();
    throw;
  }
}

LockedShards::~LockedShards() { release(); }

void LockedShards::release() noexcept {
  for (const Mapping& mapping : mappings_) ::munmap(mapping.memory, mapping.bytes);
  mappings_.clear();
}

void LockedShards::hold(const fs::path& file) {
  read_through(file);
  const auto bytes = static_cast<std::size_t>(fs::file_size(file));
  bytes_ += static_cast<std::int64_t>(bytes);
  if (!locked_) return;  // refused once, refused always
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw system_error("cannot open", file.string(), errno);
  void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  const int code = errno;
  ::close(descriptor);
  if (memory == MAP_FAILED) throw system_error("cannot map", file.string(), code);
  mappings_.push_back({memory, bytes});
  locked_ = ::mlock(memory, bytes) == 0;
}

}  // namespace lockstep
