#include "preprocess/split_classes.hpp"

namespace lockstep::preprocess {
namespace {

bool has_extension(const std::string& file) { return std::filesystem::path(file).has_extension(); }

/// Adds the folders above a path, up to the first that is there already: those above it are there too.
void add_folders_above(const std::string& path, std::set<std::string>& folders) {
  for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
    if (!folders.insert(above).second) return;
  }
}

/// Folders that hold images, at any depth.
std::set<std::string> filled_folders(const FolderTree& tree) {
  std::set<std::string> filled;
  for (const std::string& file : tree.files) {
    if (may_be_image(file)) add_folders_above(file, filled);
  }
  return filled;
}

}  // namespace

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

SplitClasses::SplitClasses(const FolderTree& tree, ClassDepth depth) : depth_(depth) {
  depth == ClassDepth::first ? take_first(tree) : take_deepest(tree);
}

void SplitClasses::take_first(const FolderTree& tree) {
  const std::set<std::string> filled = filled_folders(tree);
  for (const std::string& folder : tree.folders) {
    if (!parent_of(folder).empty()) continue;
    names_.insert(folder);
    if (!filled.contains(folder)) empty_.push_back(folder);
  }
}

void SplitClasses::take_deepest(const FolderTree& tree) {
  const std::set<std::string> filled = filled_folders(tree);
  std::set<std::string> with_folders;  // filled ones that have filled ones below
  for (const std::string& folder : filled) add_folders_above(folder, with_folders);
  for (const std::string& file : tree.files) {
    const std::string folder = parent_of(file);
    if (folder.empty() || !may_be_image(file)) continue;
    if (has_extension(file) || !with_folders.contains(folder)) names_.insert(folder);
  }
  for (const std::string& folder : tree.folders) {
    if (!filled.contains(folder)) empty_.push_back(folder);
    if (names_.contains(folder) && with_folders.contains(folder)) mixed_.push_back(folder);
  }
}

std::string SplitClasses::class_of(const std::string& file) const {
  if (depth_ == ClassDepth::first) {
    const std::size_t slash = file.find('/');
    return slash == std::string::npos ? "" : file.substr(0, slash);
  }
  const std::string folder = parent_of(file);
  return names_.contains(folder) ? folder : "";
}

}  // namespace lockstep::preprocess
