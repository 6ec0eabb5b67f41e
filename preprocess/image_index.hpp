// All image files of a folder, to be found by the names that a table gives them.
//
// A name fits a file, the first that applies: its path below the folder; that path without the image extension; and, if
// the name has no folder in it, the file's own name at any depth, with or without extension. A leading "./", the
// folder's own name ("train/1.jpg" for 1.jpg in train/), its absolute path and backslashes are understood. Upper and
// lower case differ. Immutable after construction; memory about 200 bytes a file.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep::preprocess {

class ImageIndex {
 public:
  /// Errors: the folder cannot be listed.
  explicit ImageIndex(std::filesystem::path folder);

  const std::filesystem::path& folder() const { return folder_; }
  /// Paths below the folder, in byte order.
  const std::vector<std::string>& files() const { return files_; }

  /// The files that a name may mean: none, one, or several that fit equally well.
  std::vector<std::string> find(std::string_view name) const;

 private:
  std::vector<std::string> fitting(const std::string& name) const;

  std::filesystem::path folder_;
  std::vector<std::string> files_;
  std::unordered_map<std::string, std::vector<std::uint32_t>> by_stem_;  // file name without extension → files
};

}  // namespace lockstep::preprocess
