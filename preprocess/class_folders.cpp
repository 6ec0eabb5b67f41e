#include "preprocess/class_folders.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "preprocess/image_files.hpp"
#include "preprocess/text.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

/// Walks one tree and collects its candidates.
class Walk {
 public:
  Walk(const fs::path& input, std::map<std::string, std::string> splits) : input_(input), splits_(std::move(splits)) {}

  Listing listing() {
    collect_classes();
    if (splits_.empty()) {
      walk_classes(input_, "");
    } else {
      for (const auto& [folder, split] : splits_) walk_split(input_ / folder, split);
      add_files(input_);
    }
    if (listing_.candidates.empty()) fail_without_images();
    std::ranges::sort(listing_.candidates, {}, &Candidate::path);
    note_deeper_images();
    return std::move(listing_);
  }

 private:
  void collect_classes() {
    const fs::path training = input_ / training_folder();
    listing_.classes = folder_names(training);
    if (listing_.classes.empty()) {
      throw Error("no class folders", training.string(),
                  "one folder per class is expected, with the class's images inside");
    }
    for (const std::string& name : listing_.classes) {
      if (!is_utf8(name))
        throw Error("a class name that is not UTF-8", (training / name).string(), "rename the folder");
    }
    for (std::size_t i = 0; i < listing_.classes.size(); ++i)
      labels_[listing_.classes[i]] = static_cast<std::int32_t>(i);
  }

  std::string training_folder() const {
    if (splits_.empty()) return "";
    const auto found = std::ranges::find(splits_, "train", [](const auto& pair) { return pair.second; });
    if (found != splits_.end()) return found->first;
    throw Error("split folders, but none for training", input_.string(),
                "name one train, or map one with --folder-as GIVEN=train");
  }

  void walk_split(const fs::path& folder, const std::string& split) {
    const bool may_be_unlabelled = split != "train" && split != "validation";
    if (may_be_unlabelled && folder_names(folder).empty()) {
      for (const std::string& file : files_below(folder)) add_image(folder / file, split, -1);
    } else {
      walk_classes(folder, split);
    }
  }

  void walk_classes(const fs::path& folder, const std::string& split) {
    for (const std::string& name : folder_names(folder)) {
      const auto label = labels_.find(name);
      if (label == labels_.end()) {
        throw Error(fmt::format("class '{}' is not among the {} training classes", name, labels_.size()),
                    (folder / name).string(),
                    "every split needs the same classes: check the name, or move the folder away (unlabelled test "
                    "images lie in test/ itself)");
      }
      walk_class(folder / name, split, label->second);
    }
    add_files(folder);
  }

  void walk_class(const fs::path& folder, const std::string& split, std::int32_t label) {
    bool any = false;
    for (const std::string& file : files_below(folder)) {
      const bool image = add_image(folder / file, split, label);
      any = any || image;
      if (image && file.find('/') != std::string::npos) deeper_.push_back((folder / file).lexically_relative(input_));
    }
    if (any) return;
    throw Error("no images in the class folder", folder.string(), "add images, or remove the empty folder");
  }

  /// Whether it may be one.
  bool add_image(const fs::path& file, const std::string& split, std::int32_t label) {
    const bool image = may_be_image(file);
    add(file, split, image ? "" : no_image_extension, label);
    return image;
  }

  /// Files that lie beside folders of classes: nobody can say which class they are of.
  void add_files(const fs::path& folder) {
    for (const fs::directory_entry& entry : entries_of(folder)) {
      if (!entry.is_directory()) add(entry.path(), "", "lies outside any class folder", -1);
    }
  }

  void add(const fs::path& file, const std::string& split, const std::string& refusal, std::int32_t label) {
    listing_.candidates.push_back({file.lexically_relative(input_).string(), split, refusal, label});
  }

  void note_deeper_images() {
    if (deeper_.empty()) return;
    listing_.notes.push_back(fmt::format("images in folders below a class's folder, taken as that class: {} ({})",
                                         deeper_.size(), first_of(deeper_, 2)));
  }

  [[noreturn]] void fail_without_images() const {
    throw Error("no images found", input_.string(), "a folder per class is expected, with the class's images inside");
  }

  fs::path input_;
  std::map<std::string, std::string> splits_;   // folder → split; empty: no split folders
  std::map<std::string, std::int32_t> labels_;  // class → label
  Listing listing_;
  std::vector<std::string> deeper_;  // images in folders below class folders
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

ClassFolders::ClassFolders(fs::path input, std::map<std::string, std::string> folder_as)
    : input_(std::move(input)), folder_as_(std::move(folder_as)) {
  if (fs::is_regular_file(input_))
    throw Error("a file, not a folder", input_.string(), "name the folder with the images; --source csv reads tables");
  if (!fs::is_directory(input_)) throw Error("no such folder", input_.string(), "check --input");
}

Listing ClassFolders::list() { return Walk(input_, split_folders(input_, folder_as_)).listing(); }

Picture ClassFolders::picture(std::int64_t, const Candidate& candidate, const PictureRequest& request) const {
  return read_picture(input_ / candidate.path, request);
}

}  // namespace lockstep::preprocess
