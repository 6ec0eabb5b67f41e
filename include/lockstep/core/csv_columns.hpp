// Which columns of a table name the images, their classes and, if asked for, their weights.
//
// Compared without case, blanks, "_" and "-". Names, the first of these that there is: path, file path, image path,
// file name, image file, file, image name, image, img, name, image id, img id, id. Labels: label, class, class name,
// category, breed, species, target; two of them are an error, since the wrong one would train without a word, while a
// wrong column of names finds no files. Errors list the columns that there are, and how to name the right one
// (--csv-name, --csv-label, --csv-weight). Pure functions.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/core/csv.hpp"

namespace lockstep {

/// What the user said; empty: found by itself.
struct ColumnWishes {
  std::string name = {}, label = {}, weight = {};
};

struct CsvColumns {
  std::size_t name = 0;
  std::optional<std::size_t> label;   ///< none: a table of unlabelled images
  std::optional<std::size_t> weight;  ///< none: all weigh 1
};

/// The columns of a table whose images must be labelled. `otherwise`: what the error adds for one without labels.
CsvColumns labelled_columns(const CsvTable& table, const ColumnWishes& wishes, std::string_view otherwise = {});

/// The columns of a table that may do without labels. `label`: what that column is called where there are labels; if
/// the table has another one that looks like it, that is an Error.
CsvColumns columns_of_test(const CsvTable& table, const ColumnWishes& wishes, const std::string& label);

/// The column of names alone.
CsvColumns unlabelled_columns(const CsvTable& table, const ColumnWishes& wishes);

}  // namespace lockstep
