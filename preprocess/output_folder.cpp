#include "preprocess/output_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/image_table.hpp"
#include "lockstep/data/manifest.hpp"
#include "preprocess/audit_command.hpp"
#include "preprocess/journal.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

constexpr const char* shard_folder = "shards";

/// "name" or ".name.partial": whole or being written.
std::string bare_name(const fs::path& file) {
  std::string name = file.filename().string();
  constexpr std::string_view suffix = ".partial";
  if (name.starts_with('.') && name.ends_with(suffix)) name = name.substr(1, name.size() - 1 - suffix.size());
  return name;
}

bool is_own_file(const fs::path& file) {
  const std::string name = bare_name(file);
  return name == image_table_name || name == Manifest::file_name || name == audit_file_name;
}

bool is_shard(const fs::path& file) { return fs::path(bare_name(file)).extension() == ".h5"; }

/// Everything in the folder that packing did not make.
std::vector<fs::path> strangers(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const bool shards = entry.is_directory() && entry.path().filename() == shard_folder;
    const bool journal = entry.is_directory() && entry.path().filename() == journal_folder;
    if (!shards && !journal && !is_own_file(entry.path())) found.push_back(entry.path());
    if (!shards) continue;
    for (const fs::directory_entry& shard : fs::directory_iterator(entry.path())) {
      if (!is_shard(shard.path())) found.push_back(shard.path());
    }
  }
  return found;
}

void remove_own_files(const fs::path& folder, const std::set<std::string>& keep) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / shard_folder, ignored)) {
    const bool kept = keep.contains((fs::path(shard_folder) / entry.path().filename()).string());
    if (is_shard(entry.path()) && !kept) fs::remove(entry.path(), ignored);
  }
  fs::remove(folder / shard_folder, ignored);  // fails, as it shall, if something lies inside
  for (const std::string& name :
       {std::string(image_table_name), std::string(Manifest::file_name), std::string(audit_file_name)}) {
    if (!keep.contains(name)) fs::remove(folder / name, ignored);
    fs::remove(partial_name(folder / name), ignored);
  }
}

bool lies_inside(const fs::path& inner, const fs::path& outer) {
  const fs::path relative = fs::weakly_canonical(inner).lexically_relative(fs::weakly_canonical(outer));
  return !relative.empty() && *relative.begin() != "..";
}

void check_free(const fs::path& folder, std::uint64_t needed) {
  const std::uint64_t available = free_bytes(folder);
  if (available >= needed) return;
  throw Error(fmt::format("the data set needs {} MiB, {} MiB are free", (needed >> 20) + 1, available >> 20),
              folder.string(), "free space, choose another --output, a smaller --side, or --store jpeg");
}

}  // namespace

OutputFolder::OutputFolder(fs::path output, const std::vector<fs::path>& inputs) : output_(std::move(output)) {
  for (const fs::path& input : inputs) {
    if (input.empty() || !lies_inside(output_, input)) continue;
    throw usage_error("the output lies inside the input", "--output " + output_.string(),
                      "choose a folder elsewhere: packed images would be taken for a class the next time");
  }
}

bool OutputFolder::holds_data_set() const {
  if (!fs::exists(output_)) return false;
  if (!fs::is_directory(output_)) throw Error("the output is a file", output_.string(), "choose another --output");
  const std::vector<fs::path> others = strangers(output_);
  if (fs::exists(output_ / Manifest::file_name)) return true;
  if (others.empty()) return false;
  throw Error(fmt::format("the folder is not empty: it holds {}", others.front().filename().string()), output_.string(),
              "choose a new or empty folder as --output");
}

void OutputFolder::prepare(std::uint64_t needed, const std::set<std::string>& keep) const {
  remove_own_files(output_, keep);
  check_free(output_, needed);
  make_folder(output_ / shard_folder);
}

void OutputFolder::discard(const std::set<std::string>& keep) const noexcept {
  try {
    remove_own_files(output_, keep);
    std::error_code ignored;
    fs::remove(output_, ignored);  // only if nothing else is inside
  } catch (...) {
    // Called while another error is on its way to the user, who needs that one.
    return;
  }
}

}  // namespace lockstep::preprocess
