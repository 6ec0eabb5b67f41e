#include "lockstep/data/image_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/hdf5.hpp"

namespace lockstep {
namespace {

template <typename Field>
std::vector<Field> column(const std::vector<ImageRow>& rows, Field ImageRow::*field) {
  std::vector<Field> values;
  values.reserve(rows.size());
  for (const ImageRow& row : rows) values.push_back(row.*field);
  return values;
}

/// Sets `field` of every row; the first column read decides how many rows there are.
template <typename Field>
void set_column(std::vector<ImageRow>& rows, bool first, Field ImageRow::*field, std::vector<Field> values,
                const std::string& where) {
  if (first) rows.resize(values.size());
  if (values.size() != rows.size()) {
    throw Error(fmt::format("columns of {} and {} rows", rows.size(), values.size()), where,
                "the table is damaged: pack the data set again");
  }
  for (std::size_t row = 0; row < rows.size(); ++row) rows[row].*field = std::move(values[row]);
}

}  // namespace

void write_image_table(const std::filesystem::path& file, const std::vector<ImageRow>& rows) {
  // Built in memory and written in one go: a full disk is then met by our own checked write, not inside HDF5.
  hdf5::File table = hdf5::File::create_in_memory(file.string());
  table.write("path", column(rows, &ImageRow::path));
  table.write("split", column(rows, &ImageRow::split));
  table.write("label", column(rows, &ImageRow::label));
  table.write("width", column(rows, &ImageRow::width));
  table.write("height", column(rows, &ImageRow::height));
  table.write("status", column(rows, &ImageRow::status));
  table.write("reason", column(rows, &ImageRow::reason));
  write_file_atomically(file, table.image());
}

std::vector<ImageRow> read_image_table(const std::filesystem::path& file) {
  const hdf5::File table = hdf5::File::open(file);
  const std::string where = file.string();
  std::vector<ImageRow> rows;
  set_column(rows, true, &ImageRow::path, table.read_texts("path"), where);
  set_column(rows, false, &ImageRow::split, table.read_texts("split"), where);
  set_column(rows, false, &ImageRow::label, table.read_int32("label"), where);
  set_column(rows, false, &ImageRow::width, table.read_int32("width"), where);
  set_column(rows, false, &ImageRow::height, table.read_int32("height"), where);
  set_column(rows, false, &ImageRow::status, table.read_texts("status"), where);
  set_column(rows, false, &ImageRow::reason, table.read_texts("reason"), where);
  return rows;
}

}  // namespace lockstep
