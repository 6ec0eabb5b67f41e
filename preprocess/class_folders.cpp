#include "preprocess/class_folders.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"
#include "preprocess/image_files.hpp"
#include "preprocess/split_classes.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

/// Walks one tree and collects its candidates.
class Walk {
 public:
  Walk(const fs::path& input, std::map<std::string, std::string> splits, ClassDepth depth)
      : input_(input), splits_(std::move(splits)), depth_(depth) {}

  Listing listing() {
    const std::string training = training_folder();
    walk_split(training, splits_.empty() ? "" : "train");
    for (const auto& [folder, split] : splits_) {
      if (folder != training) walk_split(folder, split);
    }
    if (!splits_.empty()) add_files_beside_splits();
    std::ranges::sort(listing_.candidates, {}, &Candidate::path);
    std::ranges::sort(deeper_);
    add_notes();
    return std::move(listing_);
  }

 private:
  std::string training_folder() const {
    if (splits_.empty()) return "";
    const auto found = std::ranges::find(splits_, "train", [](const auto& pair) { return pair.second; });
    if (found != splits_.end()) return found->first;
    throw Error("split folders, but none for training", input_.string(),
                "name one train, or map one with --folder-as GIVEN=train");
  }

  /// The first one walked is the training's: it says what the classes are.
  void walk_split(const std::string& name, const SharedText& split) {
    const fs::path folder = input_ / name;
    const FolderTree tree = tree_below(folder);
    const bool may_be_unlabelled = !split.empty() && split != "train" && split != "validation";
    if (may_be_unlabelled && tree.folders.empty()) {
      for (const std::string& file : tree.files) add_image(folder / file, split, -1);
      return;
    }
    const SplitClasses classes(tree, depth_);
    if (labels_.empty()) number_classes(classes, tree, folder);
    check_classes(classes, folder);
    mixed_.insert(classes.mixed().begin(), classes.mixed().end());
    for (const std::string& file : tree.files) add_file(folder, file, split, classes.class_of(file));
  }

  void number_classes(const SplitClasses& classes, const FolderTree& tree, const fs::path& training) {
    if (tree.folders.empty()) {
      throw Error("no class folders", training.string(),
                  "one folder per class is expected, with the class's images inside");
    }
    for (const std::string& name : classes.names()) {
      if (!is_utf8(name))
        throw Error("a class name that is not UTF-8", (training / name).string(), "rename the folder");
      labels_[name] = static_cast<std::int32_t>(listing_.classes.size());
      listing_.classes.push_back(name);
    }
  }

  void check_classes(const SplitClasses& classes, const fs::path& folder) const {
    for (const std::string& name : classes.names()) {
      if (labels_.contains(name)) continue;
      throw Error(fmt::format("class '{}' is not among the {} training classes", name, labels_.size()),
                  (folder / name).string(),
                  "every split needs the same classes: check the name, or move the folder away (unlabelled test "
                  "images lie in test/ itself)");
    }
    if (classes.empty().empty()) return;
    throw Error("no images in the class folder", (folder / classes.empty().front()).string(),
                "add images, or remove the empty folder");
  }

  /// A file of a split with classes. Nobody can say which class one is of that lies beside their folders.
  void add_file(const fs::path& folder, const std::string& file, const SharedText& split, const std::string& name) {
    if (name.empty()) return add(folder / file, {}, outside_classes_, -1);
    const bool image = add_image(folder / file, split, labels_.at(name));
    if (!image || depth_ == ClassDepth::deepest) return;
    if (parent_of(file) == name) {
      any_direct_ = true;
    } else {
      deeper_.push_back((folder / file).lexically_relative(input_));
    }
  }

  /// Whether it may be one.
  bool add_image(const fs::path& file, const SharedText& split, std::int32_t label) {
    const bool image = may_be_image(file);
    add(file, split, image ? SharedText() : no_image_, label);
    return image;
  }

  void add_files_beside_splits() {
    for (const fs::directory_entry& entry : entries_of(input_)) {
      if (!entry.is_directory()) add(entry.path(), {}, outside_classes_, -1);
    }
  }

  void add(const fs::path& file, const SharedText& split, const SharedText& refusal, std::int32_t label) {
    listing_.candidates.push_back({file.lexically_relative(input_).string(), split, refusal, label});
  }

  void add_notes() {
    if (!deeper_.empty()) {
      listing_.notes.push_back(fmt::format("images in folders below a class's folder, taken as that class: {} ({}){}",
                                           deeper_.size(), first_of(deeper_, 2), any_direct_ ? "" : deepest_advice));
    }
    if (!mixed_.empty()) {
      listing_.notes.push_back(fmt::format("classes whose folders hold other classes' folders too: {} ({})",
                                           mixed_.size(), first_of({mixed_.begin(), mixed_.end()})));
    }
  }

  static constexpr const char* deepest_advice =
      "; all classes' folders hold folders only: if those are the classes, pack with --class-folder deepest";

  const SharedText outside_classes_ = "lies outside any class folder", no_image_ = no_image_extension;  // refusals
  fs::path input_;
  std::map<std::string, std::string> splits_;  // folder → split; empty: no split folders
  ClassDepth depth_;
  std::map<std::string, std::int32_t> labels_;  // class → label
  Listing listing_;
  std::vector<std::string> deeper_;  // images in folders below class folders
  bool any_direct_ = false;          // whether there are others
  std::set<std::string> mixed_;      // see SplitClasses
};

void check_mapping(const std::map<std::string, std::string>& folder_as, const std::vector<std::string>& folders,
                   const fs::path& input) {
  for (const auto& [given, split] : folder_as) {
    if (std::ranges::find(folders, given) != folders.end()) continue;
    throw usage_error(fmt::format("no folder '{}' in the input", given), "--folder-as " + given + "=" + split,
                      fmt::format("{} holds: {}", input.string(), fmt::join(folders, ", ")));
  }
}

/// Which of the input's folders are splits: all of them or none.
std::map<std::string, std::string> split_folders(const fs::path& input,
                                                 const std::map<std::string, std::string>& folder_as) {
  std::map<std::string, std::string> splits;
  std::vector<std::string> others;
  const std::vector<std::string> folders = folder_names(input);
  check_mapping(folder_as, folders, input);
  for (const std::string& name : folders) {
    const auto mapped = folder_as.find(name);
    const std::string split = mapped == folder_as.end() ? split_of_name(name) : mapped->second;
    if (split.empty()) {
      others.push_back(name);
    } else {
      splits[name] = split == "val" || split == "valid" ? "validation" : split;
    }
  }
  if (!splits.empty() && !others.empty()) {
    throw Error(
        fmt::format("'{}' lies beside the split folder '{}' but is none", others.front(), splits.begin()->first),
        input.string(), fmt::format("map it with --folder-as {}=SPLIT, or move it away", others.front()));
  }
  return splits;
}

}  // namespace

ClassFolders::ClassFolders(fs::path input, std::map<std::string, std::string> folder_as, ClassDepth depth)
    : input_(std::move(input)), folder_as_(std::move(folder_as)), depth_(depth) {
  if (fs::is_regular_file(input_))
    throw Error("a file, not a folder", input_.string(), "name the folder with the images; --source csv reads tables");
  if (!fs::is_directory(input_)) throw Error("no such folder", input_.string(), "check --input");
}

Listing ClassFolders::list() { return Walk(input_, split_folders(input_, folder_as_), depth_).listing(); }

std::filesystem::path ClassFolders::file_of(std::int64_t, const Candidate& candidate) const {
  return input_ / candidate.path.view();
}

Picture ClassFolders::picture(std::int64_t, const Candidate& candidate, const PictureRequest& request) const {
  return read_picture(input_ / candidate.path.view(), request);
}

}  // namespace lockstep::preprocess
