#include "lockstep/core/csv_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::string_view, 13> known_names = {"path",    "filepath",  "imagepath", "filename", "imagefile",
                                                          "file",    "imagename", "image",     "img",      "name",
                                                          "imageid", "imgid",     "id"};
constexpr std::array<std::string_view, 7> known_labels = {"label", "class",   "classname", "category",
                                                          "breed", "species", "target"};
constexpr const char* name_option = "--csv-name";
constexpr const char* label_option = "--csv-label";
constexpr const char* weight_option = "--csv-weight";

/// "Image_ID" → "imageid".
std::string bare(std::string_view column) {
  std::string text = lower_case(column);
  std::erase_if(text, [](char c) { return c == '_' || c == '-' || c == ' '; });
  return text;
}

std::string columns_hint(const CsvTable& table, const char* option) {
  return fmt::format("name it with {} COLUMN; the columns are: {}", option, first_of(table.columns, 12));
}

/// The column of that name: as written, or else but for case and the like.
std::optional<std::size_t> column_called(const CsvTable& table, const std::string& name) {
  std::vector<std::size_t> exact, similar;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c] == name) exact.push_back(c);
    if (bare(table.columns[c]) == bare(name)) similar.push_back(c);
  }
  const std::vector<std::size_t>& found = exact.empty() ? similar : exact;
  if (found.size() > 1) {
    throw Error(fmt::format("{} columns are called '{}'", found.size(), name), table.file,
                "give the columns of the CSV different names");
  }
  return found.empty() ? std::nullopt : std::optional(found[0]);
}

std::size_t wished_column(const CsvTable& table, const std::string& name, const char* option) {
  if (const auto found = column_called(table, name)) return *found;
  throw Error(fmt::format("no column '{}'", name), table.file, columns_hint(table, option));
}

std::size_t name_column(const CsvTable& table, const ColumnWishes& wishes) {
  if (!wishes.name.empty()) return wished_column(table, wishes.name, name_option);
  for (const std::string_view known : known_names) {
    if (const auto found = column_called(table, std::string(known))) return *found;
  }
  throw Error("no column that names the images", table.file, columns_hint(table, name_option));
}

/// The column that looks like one of labels, if any.
std::optional<std::size_t> label_like_column(const CsvTable& table) {
  std::vector<std::string> found;
  std::size_t column = 0;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (std::ranges::find(known_labels, bare(table.columns[c])) == known_labels.end()) continue;
    found.push_back(fmt::format("'{}'", table.columns[c]));
    column = c;
  }
  if (found.size() > 1) {
    throw Error(fmt::format("{} columns may hold the labels: {}", found.size(), first_of(found)), table.file,
                fmt::format("say which with {} COLUMN", label_option));
  }
  return found.empty() ? std::nullopt : std::optional(column);
}

CsvColumns checked(const CsvTable& table, const CsvColumns& columns) {
  if (columns.weight && (columns.weight == columns.name || columns.weight == columns.label)) {
    throw Error(fmt::format("column '{}' is taken for weights and for something else", table.columns[*columns.weight]),
                table.file,
                fmt::format("say which is which with {}, {} and {}", name_option, label_option, weight_option));
  }
  if (columns.label != columns.name) return columns;
  throw Error(fmt::format("column '{}' is taken for both names and labels", table.columns[columns.name]), table.file,
              fmt::format("say which is which with {} and {}", name_option, label_option));
}

}  // namespace

CsvColumns labelled_columns(const CsvTable& table, const ColumnWishes& wishes, std::string_view otherwise) {
  CsvColumns columns{name_column(table, wishes), std::nullopt, std::nullopt};
  if (!wishes.weight.empty()) columns.weight = wished_column(table, wishes.weight, weight_option);
  columns.label = wishes.label.empty() ? label_like_column(table) : wished_column(table, wishes.label, label_option);
  if (columns.label) return checked(table, columns);
  throw Error("no column with the labels", table.file,
              columns_hint(table, label_option) + std::string(otherwise));
}

CsvColumns unlabelled_columns(const CsvTable& table, const ColumnWishes& wishes) {
  return {name_column(table, wishes), std::nullopt, std::nullopt};
}

CsvColumns columns_of_test(const CsvTable& table, const ColumnWishes& wishes, const std::string& label) {
  CsvColumns columns{name_column(table, wishes), column_called(table, label), std::nullopt};
  if (!wishes.weight.empty()) columns.weight = column_called(table, wishes.weight);
  if (columns.label) return checked(table, columns);
  if (const auto other = label_like_column(table)) {
    throw Error(
        fmt::format("no column '{}', which holds the training images' labels, but '{}'", label, table.columns[*other]),
        table.file, "give both the same name; without any such column the images are unlabelled");
  }
  return columns;
}

}  // namespace lockstep
