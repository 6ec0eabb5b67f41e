#include "preprocess/csv_layout.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"
#include "preprocess/image_files.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

bool is_table(const fs::path& file) {
  const std::string extension = lower_case(file.extension().string());
  return extension == ".csv" || extension == ".tsv";
}

std::vector<fs::path> tables_in(const fs::path& folder) {
  std::vector<fs::path> tables;
  for (const fs::directory_entry& entry : entries_of(folder)) {
    if (!entry.is_directory() && is_table(entry.path())) tables.push_back(entry.path());
  }
  return tables;
}

std::vector<std::string> names_of(const std::vector<fs::path>& files, const fs::path& below) {
  std::vector<std::string> names;
  for (const fs::path& file : files) names.push_back(file.lexically_relative(below).string());
  return names;
}

/// Whether a table beside the folders belongs to the split: "train.csv", "train_labels.csv", for the training also
/// "labels.csv".
bool is_table_of(const fs::path& table, const std::string& split) {
  std::string stem = lower_case(table.stem().string());
  if (stem == "labels") return split == "train";
  if (stem.ends_with("_labels")) stem.resize(stem.size() - std::string_view("_labels").size());
  return split_of_name(stem) == split;
}

/// What an input folder holds of one split.
struct Finds {
  std::vector<fs::path> tables, folders;
};

Finds finds_of(const fs::path& root, const std::string& split) {
  Finds finds;
  for (const fs::path& table : tables_in(root)) {
    if (is_table_of(table, split)) finds.tables.push_back(table);
  }
  for (const std::string& name : folder_names(root)) {
    if (split_of_name(name) != split) continue;
    finds.folders.push_back(root / name);
    std::ranges::copy(tables_in(root / name), std::back_inserter(finds.tables));
  }
  return finds;
}

void add_folder(std::vector<fs::path>& folders, const fs::path& folder) {
  if (fs::is_directory(folder) && std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
}

void check_one_table(const Finds& finds, const fs::path& root, const std::string& split) {
  if (finds.tables.size() < 2) return;
  throw Error(fmt::format("{} tables for {}: {}", finds.tables.size(), split, first_of(names_of(finds.tables, root))),
              root.string(), "move the others away, or name one file with --input FILE.csv");
}

[[noreturn]] void fail_without_training(const fs::path& root) {
  const std::vector<fs::path> others = tables_in(root);
  const std::string found =
      others.empty() ? "" : fmt::format("; there is {}: name it with --input", first_of(names_of(others, root)));
  throw Error("no table of the training images", root.string(),
              "train/*.csv, train.csv or labels.csv is expected, with a column of names and one of labels" + found);
}

std::optional<CsvPart> part_of(const fs::path& root, const std::string& split, const fs::path& images_folder) {
  const Finds finds = finds_of(root, split);
  check_one_table(finds, root, split);
  if (finds.tables.empty()) {
    if (split == "train") fail_without_training(root);
    if (finds.folders.empty()) return std::nullopt;
    if (split == "test") return CsvPart{split, {}, finds.folders};
    throw Error("no table for the images of this folder", finds.folders.front().string(),
                "put its CSV inside, or move the folder away: validation images need labels");
  }
  CsvPart part{split, finds.tables.front(), {}};
  if (!images_folder.empty()) return CsvPart{split, part.table, {images_folder}};
  for (const fs::path& folder : finds.folders) add_folder(part.folders, folder);
  for (const fs::path& folder : {root / "images", root}) add_folder(part.folders, folder);
  return part;
}

std::vector<CsvPart> parts_of_file(const fs::path& file, const fs::path& images_folder) {
  if (!images_folder.empty()) return {{"", file, {images_folder}}};
  const fs::path beside = file.parent_path().empty() ? "." : file.parent_path();
  CsvPart part{"", file, {}};
  for (const fs::path& folder : {beside / file.stem(), beside / "images", beside / "train", beside})
    add_folder(part.folders, folder);
  return {part};
}

}  // namespace

std::vector<CsvPart> find_csv_parts(const fs::path& input, const fs::path& images_folder) {
  if (!images_folder.empty() && !fs::is_directory(images_folder))
    throw Error("no such folder", images_folder.string(), "check --images-folder");
  if (!fs::exists(input)) throw Error("no such file or folder", input.string(), "check --input");
  if (!fs::is_directory(input)) return parts_of_file(input, images_folder);
  std::vector<CsvPart> parts;
  for (const char* split : {"train", "validation", "test"}) {
    if (std::optional<CsvPart> part = part_of(input, split, images_folder)) parts.push_back(std::move(*part));
  }
  return parts;
}

}  // namespace lockstep::preprocess
