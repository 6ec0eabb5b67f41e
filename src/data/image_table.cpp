#include "lockstep/data/image_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

template <typename Text>
std::vector<const char*> texts(const std::vector<ImageRow>& rows, const Text& text_of) {
  std::vector<const char*> values;
  values.reserve(rows.size());
  for (const ImageRow& row : rows) values.push_back(text_of(row));
  return values;
}

void check_count(std::size_t expected, std::size_t found, const std::string& where) {
  if (found == expected) return;
  throw Error(fmt::format("columns of {} and {} rows", expected, found), where,
              "the table is damaged: pack the data set again");
}

template <typename Field>
void set_column(std::vector<ImageRow>& rows, Field ImageRow::*field, const std::vector<Field>& values,
                const std::string& where) {
  check_count(rows.size(), values.size(), where);
  for (std::size_t row = 0; row < rows.size(); ++row) rows[row].*field = values[row];
}

/// `set(row, text)` for every row.
template <typename Set>
void set_texts(std::vector<ImageRow>& rows, const hdf5::File& table, const char* name, const Set& set,
               const std::string& where) {
  check_count(rows.size(), table.text_count(name), where);
  table.read_texts(name, [&](std::size_t row, std::string_view text) { set(rows[row], text); });
}

ImageStatus status_of(std::string_view name, const std::string& where) {
  for (const ImageStatus status : {ImageStatus::ok, ImageStatus::refused, ImageStatus::duplicate}) {
    if (name == name_of(status)) return status;
  }
  throw Error(fmt::format("an image of status '{}'", name), where,
              "the table is damaged, or of a later version: pack the data set again");
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

std::string_view name_of(ImageStatus status) {
  constexpr std::array<std::string_view, 3> names = {"ok", "refused", "duplicate"};  // [ImageStatus], ended by zeros
  return names[static_cast<std::size_t>(status)];
}

void write_image_table(const std::filesystem::path& file, const std::vector<ImageRow>& rows) {
  PartialFile partial(file);
  hdf5::File table = hdf5::File::create(partial.path(), file.string());
  table.write("path", texts(rows, [](const ImageRow& row) { return row.path.c_str(); }));
  table.write("split", texts(rows, [](const ImageRow& row) { return row.split.c_str(); }));
  table.write("label", column(rows, &ImageRow::label));
  table.write("width", column(rows, &ImageRow::width));
  table.write("height", column(rows, &ImageRow::height));
  table.write("status", texts(rows, [](const ImageRow& row) { return name_of(row.status).data(); }));
  table.write("reason", texts(rows, [](const ImageRow& row) { return row.reason.c_str(); }));
  write_fingerprints(table, rows);
  table.write("modified", column(rows, &ImageRow::modified));
  table.close();
  partial.publish();
}

std::vector<ImageRow> read_image_table(const std::filesystem::path& file, std::int64_t most) {
  const hdf5::File table = hdf5::File::open(file);
  const std::string where = file.string();
  std::vector<ImageRow> rows(table.text_count("path"));
  SharedTexts shared;
  const auto set_path = [](ImageRow& row, std::string_view text) { row.path = text; };
  const auto set_split = [&](ImageRow& row, std::string_view text) { row.split = shared(text); };
  const auto set_status = [&](ImageRow& row, std::string_view text) { row.status = status_of(text, where); };
  const auto set_reason = [&](ImageRow& row, std::string_view text) { row.reason = shared(text); };
  set_texts(rows, table, "path", set_path, where);
  set_texts(rows, table, "split", set_split, where);
  set_column(rows, &ImageRow::label, table.read_int32("label"), where);
  set_column(rows, &ImageRow::width, table.read_int32("width"), where);
  set_column(rows, &ImageRow::height, table.read_int32("height"), where);
  set_texts(rows, table, "status", set_status, where);
  set_texts(rows, table, "reason", set_reason, where);
  if (table.has("content")) read_fingerprints(table, rows, where);
  if (table.has("modified")) set_column(rows, &ImageRow::modified, table.read_int64("modified"), where);
  if (std::ssize(rows) > most) rows.resize(static_cast<std::size_t>(most));
  return rows;
}

}  // namespace lockstep
