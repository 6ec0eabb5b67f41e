#include "preprocess/output_claim.hpp"

#include "lockstep/core/files.hpp"
#include "preprocess/journal.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

fs::path file_of(const fs::path& output) { return output / journal_folder / OutputClaim::file_name; }
ClaimedWork work_in(const fs::path& output) { return {"packing", output, ", or choose another --output"}; }

}  // namespace

void OutputClaim::check(const fs::path& output, const Log& log) {
  FolderClaim::check(file_of(output), work_in(output), log);
}

OutputClaim::OutputClaim(const fs::path& output, const Log& log) : output_(output) {
  make_folder(file_of(output).parent_path());
  claim_.emplace(file_of(output), work_in(output), log);
}

OutputClaim::~OutputClaim() {
  claim_.reset();
  std::error_code ignored;  // they fail, as they shall, if something lies inside
  fs::remove(file_of(output_).parent_path(), ignored);
  fs::remove(output_, ignored);
}

}  // namespace lockstep::preprocess
