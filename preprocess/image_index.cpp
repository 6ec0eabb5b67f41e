#include "preprocess/image_index.hpp"

#include <algorithm>

#include "preprocess/image_files.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

std::string own_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string with_forward_slashes(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '\\', '/');
  while (text.starts_with("./")) text.erase(0, 2);
  return text;
}

}  // namespace

ImageIndex::ImageIndex(fs::path folder) : folder_(std::move(folder)) {
  for (std::string& file : files_below(folder_)) {
    if (!may_be_image(file)) continue;
    by_stem_[without_image_extension(own_name(file))].push_back(static_cast<std::uint32_t>(files_.size()));
    files_.push_back(std::move(file));
  }
}

std::vector<std::string> ImageIndex::find(std::string_view name) const {
  const std::string wanted = with_forward_slashes(name);
  std::vector<std::string> found = fitting(wanted);
  if (!found.empty()) return found;
  const fs::path absolute = fs::absolute(folder_ / "").lexically_normal();
  if (wanted.starts_with('/')) return fitting(fs::path(wanted).lexically_relative(absolute).string());
  const std::string prefix = absolute.parent_path().filename().string() + "/";
  return wanted.starts_with(prefix) ? fitting(wanted.substr(prefix.size())) : found;
}

std::vector<std::string> ImageIndex::fitting(const std::string& name) const {
  std::vector<std::string> best;
  int best_rank = 4;  // ranks: 0 path, 1 path without extension, 2 own name, 3 own name without extension
  const bool bare = name.find('/') == std::string::npos;
  const auto consider = [&](const std::string& stem) {
    const auto entry = by_stem_.find(stem);
    if (entry == by_stem_.end()) return;
    for (const std::uint32_t number : entry->second) {
      const std::string& file = files_[number];
      const int rank = file == name                                              ? 0
                       : without_image_extension(file) == name                   ? 1
                       : bare && own_name(file) == name                          ? 2
                       : bare && without_image_extension(own_name(file)) == name ? 3
                                                                                 : 4;
      if (rank >= 4 || rank > best_rank) continue;
      if (rank < best_rank) best.clear();
      best_rank = rank;
      best.push_back(file);
    }
  };
  const std::string own = own_name(name), stem = without_image_extension(own);
  consider(stem);
  if (own != stem) consider(own);  // an id that looks as if it had an extension
  return best;
}

}  // namespace lockstep::preprocess
