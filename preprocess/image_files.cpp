#include "preprocess/image_files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/text.hpp"
#include "preprocess/decode.hpp"
#include "preprocess/fingerprint.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t largest_file = std::uint64_t{1} << 30;
constexpr int deepest = 24;  // folders below the first; a circle of links would go on for ever

void collect(const fs::path& folder, const fs::path& relative, int depth, FolderTree& tree) {
  if (depth > deepest) {
    throw Error(fmt::format("more than {} folders deep", deepest), folder.string(),
                "look for a link that leads in a circle");
  }
  for (const fs::directory_entry& entry : entries_of(folder)) {
    const fs::path inside = relative / entry.path().filename();
    if (entry.is_directory()) {
      tree.folders.push_back(inside.string());
      collect(entry.path(), inside, depth + 1, tree);
    } else {
      tree.files.push_back(inside.string());
    }
  }
}

}  // namespace

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

FolderTree tree_below(const fs::path& folder) {
  FolderTree tree;
  collect(folder, "", 0, tree);
  std::ranges::sort(tree.folders);
  std::ranges::sort(tree.files);
  return tree;
}

std::vector<std::string> files_below(const fs::path& folder) { return tree_below(folder).files; }

std::string split_of_name(const std::string& name) {
  if (name == "train" || name == "test") return name;
  if (name == "val" || name == "valid" || name == "validation") return "validation";
  return "";
}

Picture read_picture(const fs::path& file, const PictureRequest& request) {
  std::string bytes;
  try {
    bytes = read_file(file, largest_file);
  } catch (const Error& error) {
    throw Refusal(error.message());
  }
  const std::span content(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  Picture picture = decode_image(content, {request.channels, request.least_side, request.most_pixels,
                                           request.keep_jpeg ? request.size : cv::Size()});
  picture.source = source_bytes(content);
  return picture;
}

SourceBytes bytes_of_file(const fs::path& file, BytesWanted wanted) {
  constexpr std::uint64_t beginning = 4096;
  try {
    const RandomAccessFile opened(file);
    if (opened.size() > largest_file) return {};
    if (wanted == BytesWanted::count) return {static_cast<std::int64_t>(opened.size()), 0};
    std::vector<std::uint8_t> bytes(wanted == BytesWanted::all ? opened.size() : std::min(beginning, opened.size()));
    opened.read(0, bytes);
    return {static_cast<std::int64_t>(opened.size()), source_bytes(bytes).digest};
  } catch (const Error&) {
    return {};  // decoding will say why
  }
}

}  // namespace lockstep::preprocess
