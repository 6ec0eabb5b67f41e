// The CSV file of predictions, written and read through here: RFC 4180, a header, a row an image.
//
//   id,label                                  always; label is empty for an image that could not be read
//   probability,label_2,probability_2,…      with `top`: of the label, then of the next ones by falling probability
//   <class>,<class>,…                         with `probabilities`: a column for each class, called like it
//
// Numbers have nine significant digits. Readers take other columns of ids and labels too (core/csv_columns.hpp); every
// further column is a class. A file is whole or absent. One writer, one thread. Errors: those of writing; a class that
// is called like another column; columns that are no probabilities.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/csv.hpp"

namespace lockstep {

struct PredictionColumns {
  bool probabilities = false;
  std::int64_t top = 0;  ///< classes with their probabilities, at most as many as there are; 0: the label alone
  bool numbers = false;  ///< labels are numbers of classes, not names
};

class PredictionWriter {
 public:
  PredictionWriter(const std::filesystem::path& file, std::vector<std::string> classes, PredictionColumns columns);
  ~PredictionWriter();

  /// `probabilities`: [class].
  void add(std::string_view id, std::int64_t winner, std::span<const double> probabilities);
  /// An image of which nothing is known.
  void add_unread(std::string_view id);
  /// Makes the file appear.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The classes in the order of a file: the winner first, the others by falling probability, of equals by number.
std::vector<std::int64_t> ranked_classes(std::int64_t winner, std::span<const double> probabilities, std::int64_t most);

struct PredictionRow {
  std::string id, label;              ///< label: as it stands in the file, empty where there is none
  std::int64_t line = 0;              ///< in the file
  std::vector<double> probabilities;  ///< [class]; empty: the file has none, or this row
};

struct PredictionTable {
  std::string file;
  std::vector<std::string> classes;  ///< of the columns of probabilities; empty: there are none
  std::vector<PredictionRow> rows;
};

/// Errors: no rows; no column of ids or labels; a value that is no probability, rows that do not add up to 1.
PredictionTable predictions_of(const CsvTable& table);

}  // namespace lockstep
