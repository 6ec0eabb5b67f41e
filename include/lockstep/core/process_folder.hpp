// A folder that lives no longer than the process that makes it, for bytes that are only needed while it runs.
//
// Called "lockstep-<host>-<process>.<six letters>" below a folder of the user's. Making one removes what processes of
// the same host that are no more have left there, so that a process that was killed does not fill a disk for ever. The
// destructor removes it with all that is in it; whoever has opened a file in it goes on reading. Thread-safe: a value
// each. Errors: those of making folders. Two containers of one host name that share the parent take each other's
// process numbers for their own: give them parents of their own.
#pragma once
#include <filesystem>

namespace lockstep {

class ProcessFolder {
 public:
  /// Makes `parent` too if need be.
  explicit ProcessFolder(const std::filesystem::path& parent);
  ~ProcessFolder();
  ProcessFolder(const ProcessFolder&) = delete;
  ProcessFolder& operator=(const ProcessFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lockstep
