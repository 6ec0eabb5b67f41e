#include "lockstep/data/image_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <type_traits>

#include "lockstep/core/error.hpp"
#include "lockstep/core/hdf5.hpp"
#include "lockstep/core/partial_file.hpp"

namespace lockstep {
namespace {

template <typename Field>
std::vector<Field> column(const std::vector<ImageRow>& rows, Field ImageRow::*field) {
  std::vector<Field> values;
  values.reserve(rows.size());
  for (const ImageRow& row : rows) values.push_back(row.*field);
  return values;
}

std::vector<const char*> texts(const std::vector<ImageRow>& rows, std::string ImageRow::*field) {
  std::vector<const char*> values;
  values.reserve(rows.size());
  for (const ImageRow& row : rows) values.push_back((row.*field).c_str());
  return values;
}

void check_count(std::size_t expected, std::size_t found, const std::string& where) {
  if (found == expected) return;
  throw Error(fmt::format("columns of {} and {} rows", expected, found), where,
              "the table is damaged: pack the data set again");
}

/// Sets `field` of every row; the first column read decides how many rows there are.
template <typename Field>
void set_column(std::vector<ImageRow>& rows, bool first, Field ImageRow::*field, std::vector<Field> values,
                const std::string& where) {
  if (first) rows.resize(values.size());
  check_count(rows.size(), values.size(), where);
  for (std::size_t row = 0; row < rows.size(); ++row) rows[row].*field = std::move(values[row]);
}

/// The fingerprint's numbers one by one: `visit(name, value of a fingerprint)`, in the order of the columns. The
/// values' types are those of the columns, except that 64-bit patterns are stored as int64.
template <typename Visit>
void for_each_number(const Visit& visit) {
  visit(
      "bytes", [](auto& print) -> auto& { return print.bytes; });
  visit(
      "content", [](auto& print) -> auto& { return print.content; });
  for (std::size_t i = 0; i < 4; ++i)
    visit(
        fmt::format("look_{}", i), [i](auto& print) -> auto& { return print.look[i]; });
  for (std::size_t c = 0; c < 3; ++c)
    visit(
        fmt::format("mean_{}", c), [c](auto& print) -> auto& { return print.mean[c]; });
  for (std::size_t c = 0; c < 3; ++c)
    visit(
        fmt::format("least_{}", c), [c](auto& print) -> auto& { return print.least[c]; });
  for (std::size_t c = 0; c < 3; ++c)
    visit(
        fmt::format("most_{}", c), [c](auto& print) -> auto& { return print.most[c]; });
  visit(
      "contrast", [](auto& print) -> auto& { return print.contrast; });
}

template <typename Number>
using Stored = std::conditional_t<sizeof(Number) == 8, std::int64_t, Number>;

std::vector<std::int64_t> read_numbers(const hdf5::File& table, const std::string& name, std::int64_t) {
  return table.read_int64(name);
}
std::vector<std::uint8_t> read_numbers(const hdf5::File& table, const std::string& name, std::uint8_t) {
  return table.read_uint8(name);
}

void write_fingerprints(hdf5::File& table, const std::vector<ImageRow>& rows) {
  for_each_number([&](const std::string& name, const auto& value_of) {
    using Number = std::remove_cvref_t<decltype(value_of(rows[0].fingerprint))>;
    std::vector<Stored<Number>> values;
    values.reserve(rows.size());
    for (const ImageRow& row : rows) values.push_back(static_cast<Stored<Number>>(value_of(row.fingerprint)));
    table.write(name, std::span<const Stored<Number>>(values));
  });
}

void read_fingerprints(const hdf5::File& table, std::vector<ImageRow>& rows, const std::string& where) {
  for_each_number([&](const std::string& name, const auto& value_of) {
    using Number = std::remove_cvref_t<decltype(value_of(rows[0].fingerprint))>;
    const std::vector<Stored<Number>> values = read_numbers(table, name, Stored<Number>{});
    check_count(rows.size(), values.size(), where);
    for (std::size_t row = 0; row < rows.size(); ++row)
      value_of(rows[row].fingerprint) = static_cast<Number>(values[row]);
  });
}

}  // namespace

void write_image_table(const std::filesystem::path& file, const std::vector<ImageRow>& rows) {
  PartialFile partial(file);
  hdf5::File table = hdf5::File::create(partial.path(), file.string());
  table.write("path", texts(rows, &ImageRow::path));
  table.write("split", texts(rows, &ImageRow::split));
  table.write("label", column(rows, &ImageRow::label));
  table.write("width", column(rows, &ImageRow::width));
  table.write("height", column(rows, &ImageRow::height));
  table.write("status", texts(rows, &ImageRow::status));
  table.write("reason", texts(rows, &ImageRow::reason));
  write_fingerprints(table, rows);
  table.write("modified", column(rows, &ImageRow::modified));
  table.close();
  partial.publish();
}

std::vector<ImageRow> read_image_table(const std::filesystem::path& file, std::int64_t most) {
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
  if (table.has("content")) read_fingerprints(table, rows, where);
  if (table.has("modified")) set_column(rows, false, &ImageRow::modified, table.read_int64("modified"), where);
  if (std::ssize(rows) > most) rows.resize(static_cast<std::size_t>(most));
  return rows;
}

}  // namespace lockstep
