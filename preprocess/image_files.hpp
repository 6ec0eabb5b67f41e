// Image files in folders, for the sources that read files: which ones count, in which order, and their pixels.
//
// Hidden files and folders are skipped, links are followed. Everything is in byte order of the paths, so that listings
// do not depend on the file system. Errors: a folder that cannot be listed, more than 24 folders deep (a link that
// leads in a circle). No state; thread-safe.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/core/image_names.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

inline constexpr const char* no_image_extension = "not an image by its extension";  ///< a refusal

/// Visible entries of a folder, and the names of the folders among them.
std::vector<std::filesystem::directory_entry> entries_of(const std::filesystem::path& folder);
std::vector<std::string> folder_names(const std::filesystem::path& folder);

/// What lies below a folder at any depth; paths relative to it.
struct FolderTree {
  std::vector<std::string> folders, files;
};
FolderTree tree_below(const std::filesystem::path& folder);
/// Its files alone.
std::vector<std::string> files_below(const std::filesystem::path& folder);

/// "train", "validation" or "test" for the names that people give such folders and files; empty for others.
std::string split_of_name(const std::string& name);

/// Reads and decodes a file. Throws Refusal.
Picture read_picture(const std::filesystem::path& file, const PictureRequest& request);

/// Source::bytes_of() for a file.
SourceBytes bytes_of_file(const std::filesystem::path& file, BytesWanted wanted);

}  // namespace lockstep::preprocess
