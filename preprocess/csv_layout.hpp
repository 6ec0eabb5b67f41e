// Which CSV files and image folders of an input belong together: by the names that people give them.
//
//   input FILE.csv      one table; its images all to be split
//   input ROOT          train        train/*.csv, train.csv, train_labels.csv or labels.csv
//                       validation   the same with val, valid or validation, if there
//                       test         the same with test; or a folder test/ without a CSV: unlabelled images
//
// Tab-separated files may be called .tsv. Images are looked for in the folder that is given (--images-folder), or else
// in these, as far as they exist: the folder called like the split (for FILE.csv like the file), images/, train/ (for
// FILE.csv), and the folder of the input itself. Two tables for one split, no table for the training, a validation
// folder without table are Errors that name what was found. Asks the file system; rank 0 only.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace lockstep::preprocess {

/// A table with the folders its images may be in, or a folder of unlabelled images.
struct CsvPart {
  std::string split;                           ///< "train", "validation", "test"; empty: to be assigned
  std::filesystem::path table;                 ///< empty: none, all images of the folders are unlabelled
  std::vector<std::filesystem::path> folders;  ///< existing, the likeliest first; at least one
};

/// The training's part first.
std::vector<CsvPart> find_csv_parts(const std::filesystem::path& input, const std::filesystem::path& images_folder);

}  // namespace lockstep::preprocess
