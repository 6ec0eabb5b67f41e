#include "lockstep/evaluate/prediction_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>

#include "lockstep/core/csv_columns.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/partial_file.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

constexpr std::string_view id_column = "id", label_column = "label", probability_column = "probability";

std::string numbered(std::string_view column, std::int64_t place) {
  return place == 1 ? std::string(column) : fmt::format("{}_{}", column, place);
}

std::vector<std::string> fixed_columns(const PredictionColumns& columns) {
  std::vector<std::string> names{std::string(id_column), std::string(label_column)};
  for (std::int64_t place = 1; place <= columns.top; ++place) {
    if (place > 1) names.push_back(numbered(label_column, place));
    names.push_back(numbered(probability_column, place));
  }
  return names;
}

/// Whether a column stands there for `top`: "probability", "label_2", "probability_3" …
bool is_of_top(std::string_view column) {
  if (column == probability_column) return true;
  for (const std::string_view stem : {label_column, probability_column}) {
    if (!column.starts_with(stem) || !column.substr(stem.size()).starts_with('_')) continue;
    const std::string_view number = column.substr(stem.size() + 1);
    return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
  }
  return false;
}

std::optional<std::size_t> column_of(const CsvTable& table, std::string_view name) {
  const auto found = std::ranges::find(table.columns, name);
  if (found == table.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - table.columns.begin());
}

/// Ours by their names; else what looks like them.
CsvColumns columns_of(const CsvTable& table) {
  const auto id = column_of(table, id_column), label = column_of(table, label_column);
  if (id && label) return {*id, label, std::nullopt};
  return labelled_columns(table, {id ? std::string(id_column) : "", label ? std::string(label_column) : "", ""});
}

double probability_of(const CsvTable& table, const CsvRow& row, std::size_t column) {
  const std::string& text = row.fields[column];
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= 1) return value;
  throw Error(fmt::format("'{}' in column '{}' is no probability", text, table.columns[column]), table.place(row),
              "columns beside id and label are classes with numbers from 0 to 1: take others out");
}

std::vector<double> probabilities_of(const CsvTable& table, const CsvRow& row,
                                     const std::vector<std::size_t>& columns) {
  const bool none = std::ranges::all_of(columns, [&](std::size_t column) { return row.fields[column].empty(); });
  if (none) return {};
  std::vector<double> values;
  for (const std::size_t column : columns) values.push_back(probability_of(table, row, column));
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  constexpr double rounding = 1e-2;  // files of others may have few digits
  if (std::abs(sum - 1) <= rounding) return values;
  throw Error(fmt::format("the probabilities add up to {}", sum), table.place(row),
              "give a column for each class, with probabilities that add up to 1");
}

}  // namespace

struct PredictionWriter::State {
  State(const std::filesystem::path& path, std::vector<std::string> names, PredictionColumns wanted)
      : file(path), classes(std::move(names)), columns(wanted) {}

  PartialFile file;
  std::vector<std::string> classes;
  PredictionColumns columns;
  std::string pending;

  void end_row() {
    constexpr std::size_t block = std::size_t{1} << 20;
    pending += '\n';
    if (pending.size() >= block) flush();
  }
  void flush() {
    file.append(pending);
    pending.clear();
  }
  std::string label(std::int64_t number) const {
    return columns.numbers ? std::to_string(number) : csv_field(classes[static_cast<std::size_t>(number)]);
  }
};

PredictionWriter::PredictionWriter(const std::filesystem::path& file, std::vector<std::string> classes,
                                   PredictionColumns columns)
    : state_(std::make_unique<State>(file, std::move(classes), columns)) {
  const std::vector<std::string> fixed = fixed_columns(columns);
  for (const std::string& name : fixed) {
    if (columns.probabilities && std::ranges::find(state_->classes, name) != state_->classes.end())
      throw Error(fmt::format("a class is called '{}', like another column of the file", name), "--probabilities",
                  "leave --probabilities out");
    if (!state_->pending.empty()) state_->pending += ',';
    state_->pending += name;
  }
  if (columns.probabilities) {
    for (const std::string& name : state_->classes) state_->pending.append(",").append(csv_field(name));
  }
  state_->end_row();
}

PredictionWriter::~PredictionWriter() = default;

void PredictionWriter::add(std::string_view id, std::int64_t winner, std::span<const double> probabilities) {
  const auto out = std::back_inserter(state_->pending);
  const auto probability = [&](std::int64_t number) {
    fmt::format_to(out, ",{:.9g}", probabilities[static_cast<std::size_t>(number)]);
  };
  fmt::format_to(out, "{},{}", csv_field(id), state_->label(winner));
  std::int64_t place = 0;
  for (const std::int64_t number : ranked_classes(winner, probabilities, state_->columns.top)) {
    if (++place > 1) fmt::format_to(out, ",{}", state_->label(number));
    probability(number);
  }
  if (state_->columns.probabilities) {
    for (std::size_t c = 0; c < probabilities.size(); ++c) probability(static_cast<std::int64_t>(c));
  }
  state_->end_row();
}

void PredictionWriter::add_unread(std::string_view id) {
  std::size_t empty = fixed_columns(state_->columns).size() - 1;
  if (state_->columns.probabilities) empty += state_->classes.size();
  state_->pending += csv_field(id) + std::string(empty, ',');
  state_->end_row();
}

void PredictionWriter::finish() {
  state_->flush();
  state_->file.publish();
}

std::vector<std::int64_t> ranked_classes(std::int64_t winner, std::span<const double> probabilities,
                                         std::int64_t most) {
  std::vector<std::int64_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto before = [&](std::int64_t a, std::int64_t b) {
    if ((a == winner) != (b == winner)) return a == winner;
    const double of_a = probabilities[static_cast<std::size_t>(a)], of_b = probabilities[static_cast<std::size_t>(b)];
    return of_a != of_b ? of_a > of_b : a < b;
  };
  const auto end = order.begin() + std::min<std::int64_t>(most, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(), before);
  order.erase(end, order.end());
  return order;
}

PredictionTable predictions_of(const CsvTable& table) {
  const CsvColumns columns = columns_of(table);
  if (table.rows.empty()) throw Error("no row below the header", table.file, "a row an image is expected");
  PredictionTable result{table.file, {}, {}};
  std::vector<std::size_t> of_classes;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (c == columns.name || c == columns.label || is_of_top(table.columns[c])) continue;
    if (std::ranges::find(result.classes, table.columns[c]) != result.classes.end()) {
      throw Error(fmt::format("two columns are called '{}'", table.columns[c]), table.file,
                  "give every class a column of its own");
    }
    of_classes.push_back(c);
    result.classes.push_back(table.columns[c]);
  }
  for (const CsvRow& row : table.rows) {
    result.rows.push_back({row.fields[columns.name], row.fields[*columns.label], row.line,
                           of_classes.empty() ? std::vector<double>() : probabilities_of(table, row, of_classes)});
  }
  return result;
}

}  // namespace lockstep
