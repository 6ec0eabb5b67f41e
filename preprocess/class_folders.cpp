#include "preprocess/class_folders.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "preprocess/decode.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

constexpr int deepest = 24;  // folders below the input; a circle of links would go on for ever

/// Extensions that images carry, those included that decoding refuses by name. No extension: the content decides.
bool may_be_image(const fs::path& file) {
  constexpr std::array<std::string_view, 19> known = {"",     ".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",  ".bmp",
                                                      ".dib", ".pbm",  ".pgm",  ".ppm",  ".pnm",  ".webp", ".gif",
                                                      ".tif", ".tiff", ".heic", ".avif", ".jxl"};
  std::string extension = file.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::find(known, extension) != known.end();
}

std::string split_of_folder(const std::string& name) {
  if (name == "train" || name == "test") return name;
  if (name == "val" || name == "valid" || name == "validation") return "validation";
  return "";
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    const int following = lead < 0x80                   ? 0
                          : lead >= 0xC2 && lead < 0xE0 ? 1
                          : (lead & 0xF0) == 0xE0       ? 2
                          : lead >= 0xF0 && lead < 0xF5 ? 3
                                                        : -1;
    if (following < 0) return false;
    for (int i = 0; i < following; ++i, ++at) {
      if (at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) return false;
    }
  }
  return true;
}

/// Visible entries of a folder in byte order of their names.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (!it->path().filename().string().starts_with('.')) entries.push_back(*it);
  }
  if (code) throw system_error("cannot list the folder", folder.string(), code.value());
  std::ranges::sort(entries, {}, [](const fs::directory_entry& entry) { return entry.path().string(); });
  return entries;
}

std::vector<std::string> folder_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : entries_of(folder)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  return names;
}

/// Walks one tree and collects its candidates.
class Walk {
 public:
  Walk(const fs::path& input, std::map<std::string, std::string> splits) : input_(input), splits_(std::move(splits)) {}

  Listing listing() {
    collect_classes();
    if (splits_.empty()) {
      walk_classes(input_, "");
    } else {
      for (const auto& [folder, split] : splits_) walk_classes(input_ / folder, split);
      add_files(input_);
    }
    if (listing_.candidates.empty()) fail_without_images();
    std::ranges::sort(listing_.candidates, {}, &Candidate::path);
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

  void walk_classes(const fs::path& folder, const std::string& split) {
    for (const std::string& name : folder_names(folder)) {
      const auto label = labels_.find(name);
      if (label == labels_.end()) {
        throw Error(fmt::format("class '{}' is not among the {} training classes", name, labels_.size()),
                    (folder / name).string(),
                    "every split needs the same classes: check the name, or move the folder away");
      }
      images_ = 0;
      walk(folder / name, split, label->second, 0);
      if (images_ == 0) {
        throw Error("no images in the class folder", (folder / name).string(),
                    "add images, or remove the empty folder");
      }
    }
    add_files(folder);
  }

  void walk(const fs::path& folder, const std::string& split, std::int32_t label, int depth) {
    if (depth > deepest) {
      throw Error(fmt::format("more than {} folders deep", deepest), folder.string(),
                  "look for a link that leads in a circle");
    }
    for (const fs::directory_entry& entry : entries_of(folder)) {
      if (entry.is_directory()) {
        walk(entry.path(), split, label, depth + 1);
      } else if (may_be_image(entry.path())) {
        add(entry.path(), split, "", label);
        ++images_;
      } else {
        add(entry.path(), split, "not an image by its extension", label);
      }
    }
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

  [[noreturn]] void fail_without_images() const {
    throw Error("no images found", input_.string(), "a folder per class is expected, with the class's images inside");
  }

  fs::path input_;
  std::map<std::string, std::string> splits_;   // folder → split; empty: no split folders
  std::map<std::string, std::int32_t> labels_;  // class → label
  Listing listing_;
  std::int64_t images_ = 0;  // in the class folder being walked
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
    const std::string split = mapped == folder_as.end() ? split_of_folder(name) : mapped->second;
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
  if (!fs::is_directory(input_)) throw Error("no such folder", input_.string(), "check --input");
}

Listing ClassFolders::list() { return Walk(input_, split_folders(input_, folder_as_)).listing(); }

Picture ClassFolders::picture(std::int64_t, const Candidate& candidate, const PictureRequest& request) const {
  constexpr std::uint64_t largest_file = std::uint64_t{1} << 30;
  std::string bytes;
  try {
    bytes = read_file(input_ / candidate.path, largest_file);
  } catch (const Error& error) {
    throw Refusal(error.message());
  }
  return decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                      {request.channels, request.least_side});
}

}  // namespace lockstep::preprocess
