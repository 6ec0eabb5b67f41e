// Images that tables name: CSV files with a column of names and one of labels, and folders with the images.
//
// Layouts: csv_layout.hpp; columns: csv_columns.hpp; how a name finds its file: image_index.hpp. Of the folders that
// may hold a table's images the one is taken in which most names find one file; notes say which, and which columns.
// Classes are the training tables' labels in order of their numbers if all are numbers, else in byte order; a note
// names those that differ by case only. With a `split`, all rows of one table are unlabelled samples of that split,
// whatever other columns there are. A column of weights is looked for where one is wished: training and validation
// tables must have it, in a test table without it all weigh 1. Ids follow the tables' rows: training, validation, test.
// Images of a test table without labels (no such column, or nothing in it) and of a folder test/ without table are
// unlabelled samples. Images that no row names are counted in a note and left out. list() reads everything, picture()
// one file.
//
// Errors, each with the table, the lines of the first few and their count: names without file or with several, two rows
// for one file (also in two tables), an empty name or label, a weight that is not a finite number of at least 0, only
// weights of 0 in the training table, a class that the training does not have, labels such as 1
// and 01, no row; and those of the files named above.
#pragma once
#include <filesystem>

#include "lockstep/core/csv_columns.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

class CsvSource : public Source {
 public:
  /// `input`: a CSV file or a folder with some; `images_folder` may be empty. Asks nothing of the file system but what
  /// kind `input` is.
  CsvSource(std::filesystem::path input, std::filesystem::path images_folder, ColumnWishes wishes,
            std::string split = "");

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;
  std::filesystem::path file_of(std::int64_t id, const Candidate& candidate) const override;

 private:
  std::filesystem::path input_, images_folder_;
  ColumnWishes wishes_;
  std::string split_;
  std::filesystem::path base_;  // candidates' paths are relative to it: the input folder, or the one of the input file
};

/// The classes among labels: different ones, in the order described above. `where` is named in errors. For tests.
std::vector<std::string> classes_of(const std::vector<std::string>& labels, const std::string& where);

}  // namespace lockstep::preprocess
