// Which folders of one split are classes, and which class a file belongs to: the rule of --class-folder, see
// class_folders.hpp. Computed from paths alone, without the file system.
//
// Memory: the folders' names. A value; thread-safe to read. No errors.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "preprocess/image_files.hpp"
#include "preprocess/settings.hpp"

namespace lockstep::preprocess {

class SplitClasses {
 public:
  /// `tree`: what lies below the split's folder.
  SplitClasses(const FolderTree& tree, ClassDepth depth);

  /// Names of the classes: their folders' paths below the split, such as "cat" or "animals/cat".
  const std::set<std::string>& names() const { return names_; }
  /// Folders that should hold an image, at any depth, and hold none; in byte order.
  const std::vector<std::string>& empty() const { return empty_; }
  /// Classes whose folders have other classes below them; in byte order.
  const std::vector<std::string>& mixed() const { return mixed_; }

  /// The class of a file by its path below the split; empty: it is of none.
  std::string class_of(const std::string& file) const;

 private:
  void take_first(const FolderTree& tree);
  void take_deepest(const FolderTree& tree);

  ClassDepth depth_;
  std::set<std::string> names_;
  std::vector<std::string> empty_, mixed_;
};

/// "a/b/c" → "a/b"; empty for names without a folder.
std::string parent_of(const std::string& path);

}  // namespace lockstep::preprocess
