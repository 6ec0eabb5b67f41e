// Who packs into an output folder: the file .packing/owner.json, so that no two packings write there at once. Used by
// rank 0 alone; other programs' files are never touched.
//
// It names the host, the process and when that one began: {"host", "process", "started"}. A claim is void, and is taken
// over without a word, if its process runs no more on this host, or if another host has not renewed it for
// `longest_silence`: it is renewed every `renewal` by a thread. (Clocks of hosts may differ by a minute or so.) So a
// packing that was killed can go on at once where it ran, and elsewhere a little later; on a file system without unnamed
// files (NFS) also where it ran, if the kill came between the making of the file and its first byte.
// Errors: another packing is at work there (who, and which file says so); files that cannot be written.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

namespace lockstep::preprocess {

class OutputClaim {
 public:
  static constexpr std::chrono::seconds renewal{20}, longest_silence{180};
  static constexpr const char* file_name = "owner.json";

  /// An error if another packing has claimed the folder. Writes nothing.
  static void check(const std::filesystem::path& output);

  /// Claims the folder, which is made if it is not there.
  explicit OutputClaim(const std::filesystem::path& output);
  /// Ends the claim; folders that are empty then go too.
  ~OutputClaim();
  OutputClaim(const OutputClaim&) = delete;
  OutputClaim& operator=(const OutputClaim&) = delete;

 private:
  std::filesystem::path output_, file_;
  std::jthread renewer_;
};

}  // namespace lockstep::preprocess
