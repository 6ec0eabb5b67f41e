// Who packs into an output folder: the claim (core/folder_claim.hpp) .packing/owner.json. Used by rank 0 alone.
//
// Errors: another packing is at work there; files that cannot be written.
#pragma once
#include <filesystem>
#include <optional>

#include "lockstep/core/folder_claim.hpp"

namespace lockstep::preprocess {

class OutputClaim {
 public:
  static constexpr const char* file_name = FolderClaim::usual_name;

  /// An error if another packing has claimed the folder. Writes nothing.
  static void check(const std::filesystem::path& output, const Log& log);

  /// Claims the folder, which is made if it is not there.
  OutputClaim(const std::filesystem::path& output, const Log& log);
  /// Ends the claim; folders that are empty then go too.
  ~OutputClaim();
  OutputClaim(const OutputClaim&) = delete;
  OutputClaim& operator=(const OutputClaim&) = delete;

 private:
  std::filesystem::path output_;
  std::optional<FolderClaim> claim_;
};

}  // namespace lockstep::preprocess
