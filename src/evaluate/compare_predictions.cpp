#include "lockstep/evaluate/compare_predictions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "lockstep/core/error.hpp"
#include "lockstep/core/image_names.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

/// A row of either file.
struct Named {
  std::string id, label;
  std::int64_t line;
};

std::vector<Named> named_rows(const PredictionTable& table) {
  std::vector<Named> rows;
  for (const PredictionRow& row : table.rows) rows.push_back({row.id, row.label, row.line});
  return rows;
}

std::vector<Named> named_rows(const CsvTable& table, const ColumnWishes& wishes) {
  const CsvColumns columns = labelled_columns(table, wishes);
  if (table.rows.empty()) throw Error("no row below the header", table.file, "a row an image is expected");
  std::vector<Named> rows;
  for (const CsvRow& row : table.rows) rows.push_back({row.fields[columns.name], row.fields[*columns.label], row.line});
  return rows;
}

[[noreturn]] void fail_with(const std::string& what, const std::vector<std::string>& found, const std::string& file,
                            const std::string& hint) {
  throw Error(fmt::format("{}: {} ({})", what, found.size(), first_of(found)), file, hint);
}

void check_rows(const std::vector<Named>& rows, const std::string& file) {
  std::vector<std::string> nameless, unlabelled, twice;
  std::unordered_map<std::string_view, std::int64_t> lines;
  for (const Named& row : rows) {
    if (row.id.empty()) nameless.push_back(fmt::format("line {}", row.line));
    if (row.label.empty()) unlabelled.push_back(fmt::format("'{}'", row.id));
    const auto [other, fresh] = lines.try_emplace(row.id, row.line);
    if (!fresh) twice.push_back(fmt::format("'{}' in lines {} and {}", row.id, other->second, row.line));
  }
  if (!nameless.empty()) fail_with("rows without an id", nameless, file, "name an image in every row");
  if (!twice.empty()) fail_with("the same id twice", twice, file, "keep one row of each image");
  if (!unlabelled.empty())
    fail_with("ids without a label", unlabelled, file,
              "label them, or take them out of both files (predict leaves the label of unreadable images empty)");
}

/// [row of the labels] the row of its prediction.
std::vector<std::size_t> joined(const std::vector<Named>& predictions, const std::vector<Named>& labels,
                                const std::string& predictions_file, const std::string& labels_file) {
  std::unordered_map<std::string, std::size_t> by_id;
  std::unordered_map<std::string, std::vector<std::size_t>> by_stem;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    by_id[predictions[i].id] = i;
    const std::string stem = without_image_extension(predictions[i].id);
    if (stem != predictions[i].id) by_stem[stem].push_back(i);
  }
  std::vector<std::size_t> places;
  std::vector<std::string> missing, several, unused;
  std::vector<std::size_t> uses(predictions.size());
  for (const Named& row : labels) {
    std::vector<std::size_t> found;
    if (const auto exact = by_id.find(row.id); exact != by_id.end())
      found = {exact->second};
    else if (const auto bare = by_id.find(without_image_extension(row.id)); bare != by_id.end())
      found = {bare->second};
    else if (const auto longer = by_stem.find(row.id); longer != by_stem.end())
      found = longer->second;
    if (found.empty()) missing.push_back(fmt::format("'{}'", row.id));
    if (found.size() > 1 || (found.size() == 1 && ++uses[found[0]] > 1)) several.push_back(fmt::format("'{}'", row.id));
    places.push_back(found.empty() ? 0 : found[0]);
  }
  if (!missing.empty())
    fail_with("ids without a prediction", missing, predictions_file,
              fmt::format("predict all images of {}, or leave them out there", labels_file));
  if (!several.empty())
    fail_with("ids that fit several rows of the other file", several, labels_file,
              "write the extension or the folders into the ids of both files (predict --id path)");
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (uses[i] == 0) unused.push_back(fmt::format("'{}'", predictions[i].id));
  }
  if (!unused.empty())
    fail_with("predictions without a label to compare with", unused, labels_file,
              fmt::format("give the right labels of all images of {}, or leave the others out", predictions_file));
  return places;
}

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// All labels that occur; the two files must have one in common.
std::vector<std::string> classes_that_occur(const std::vector<Named>& predictions, const std::vector<Named>& labels,
                                            const std::string& file) {
  std::set<std::string> predicted, all;
  for (const Named& row : predictions) predicted.insert(row.label);
  all = predicted;
  bool common = false;
  for (const Named& row : labels) {
    common = common || predicted.contains(row.label);
    all.insert(row.label);
  }
  if (!common) {
    throw Error(fmt::format("no label occurs in both files ('{}' here, '{}' there)", labels.front().label,
                            predictions.front().label),
                file, "give names of classes in both, or numbers in both (predict --label)");
  }
  std::vector<std::string> classes(all.begin(), all.end());
  if (std::ranges::all_of(classes, [](const std::string& label) { return as_number(label).has_value(); }))
    std::ranges::stable_sort(classes, {}, [](const std::string& label) { return *as_number(label); });
  return classes;
}

/// What the labels of a file mean: names of classes, or their numbers.
std::vector<std::int64_t> class_numbers(const std::vector<Named>& rows, const std::vector<std::string>& classes,
                                        const std::string& file) {
  std::unordered_map<std::string_view, std::int64_t> numbers;
  for (const std::string& name : classes) numbers.emplace(name, static_cast<std::int64_t>(numbers.size()));
  const bool names = std::ranges::any_of(rows, [&](const Named& row) { return numbers.contains(row.label); });
  std::vector<std::int64_t> found;
  std::vector<std::string> unknown;
  for (const Named& row : rows) {
    std::int64_t number = -1;
    if (names) {
      const auto known = numbers.find(row.label);
      if (known != numbers.end()) number = known->second;
    } else {
      const char* end = row.label.data() + row.label.size();
      const auto [stop, code] = std::from_chars(row.label.data(), end, number);
      if (code != std::errc{} || stop != end || number >= std::ssize(classes)) number = -1;
    }
    if (number < 0) unknown.push_back(fmt::format("'{}' in line {}", row.label, row.line));
    found.push_back(number);
  }
  if (!unknown.empty())
    fail_with("labels that are no class of the predictions", unknown, file,
              fmt::format("the classes are {}: write their names, or their numbers from 0", first_of(classes, 12)));
  return found;
}

/// Logarithms, finite ones.
std::vector<double> scores_of(const std::vector<double>& probabilities) {
  std::vector<double> scores;
  for (const double p : probabilities) scores.push_back(std::log(std::max(p, std::numeric_limits<double>::min())));
  return scores;
}

}  // namespace

ComparedPredictions compare_predictions(const PredictionTable& predictions, const CsvTable& labels,
                                        const ColumnWishes& wishes) {
  const std::vector<Named> predicted = named_rows(predictions), right = named_rows(labels, wishes);
  check_rows(predicted, predictions.file);
  check_rows(right, labels.file);
  const std::vector<std::size_t> places = joined(predicted, right, predictions.file, labels.file);
  const bool scored = !predictions.classes.empty();
  ComparedPredictions result{{}, scored ? predictions.classes : classes_that_occur(predicted, right, labels.file)};
  const std::vector<std::int64_t> winners = class_numbers(predicted, result.classes, predictions.file),
                                  truth = class_numbers(right, result.classes, labels.file);
  JudgedSamples& samples = result.samples;
  samples.classes = std::ssize(result.classes);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const PredictionRow& row = predictions.rows[places[i]];
    const std::int64_t winner = winners[places[i]], id = static_cast<std::int64_t>(i);
    if (!scored) {
      samples.predictions.push_back({id, truth[i], winner, winner == truth[i] ? 0 : 1, 0});
      continue;
    }
    if (row.probabilities.empty())
      throw Error(fmt::format("'{}' has a label, but no probabilities", row.id),
                  fmt::format("{}:{}", predictions.file, row.line), "give them in every row, or in none");
    const std::vector<double> scores = scores_of(row.probabilities);
    samples.predictions.push_back(predict(std::span<const double>(scores), id, truth[i], winner));
    samples.predictions.back().loss = -scores[static_cast<std::size_t>(truth[i])];  // as written, to few digits perhaps
    samples.probabilities.insert(samples.probabilities.end(), row.probabilities.begin(), row.probabilities.end());
  }
  return result;
}

}  // namespace lockstep
