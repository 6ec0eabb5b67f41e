#include "preprocess/csv_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"
#include "preprocess/csv_layout.hpp"
#include "preprocess/image_files.hpp"
#include "preprocess/image_index.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// What is wrong with a table's rows, by kind: the user hears of all rows of the first kind at once.
class RowFaults {
 public:
  enum Kind { empty_name, empty_label, no_file, several_files, twice, unknown_class, bad_weight, kinds };

  explicit RowFaults(const CsvTable& table) : table_(table) {}

  void add(Kind kind, const CsvRow& row, const std::string& about) {
    faults_[kind].push_back(fmt::format("line {}{}{}", row.line, about.empty() ? "" : " ", about));
    if (faults_[kind].size() == 1) first_[kind] = table_.place(row);
  }

  /// `folder`: where the images were looked for.
  void check(const std::string& folder) const {
    constexpr std::array<const char*, kinds> what = {"rows without a name",
                                                     "rows without a label",
                                                     "names without a file",
                                                     "names that several files fit",
                                                     "rows for one and the same file",
                                                     "classes that the training does not have",
                                                     "weights that are not numbers of at least 0"};
    const std::array<std::string, kinds> hints = {
        "name an image in every row, or remove the row",
        "label every row, or remove it",
        fmt::format("they are not in {}: add the images, remove the rows, or name the folder with --images-folder",
                    folder),
        "write the extension or the folders into the name",
        "keep one row of each image",
        "check the labels' spelling, or add training images of these classes",
        "write a finite number of at least 0 into every row, 1 for the usual weight"};
    for (std::size_t kind = 0; kind < kinds; ++kind) {
      if (faults_[kind].empty()) continue;
      throw Error(fmt::format("{}: {} ({})", what[kind], faults_[kind].size(), first_of(faults_[kind])), first_[kind],
                  hints[kind]);
    }
  }

 private:
  const CsvTable& table_;
  std::array<std::vector<std::string>, kinds> faults_;  // [kind]
  std::array<std::string, kinds> first_;                // [kind], place of the first
};

/// Makes one listing of all parts.
class Assembly {
 public:
  Assembly(const fs::path& base, const ColumnWishes& wishes) : base_(base), wishes_(wishes) {
    listing_.weighted = !wishes.weight.empty();
  }

  void add(const CsvPart& part) {
    if (part.table.empty()) {
      for (const fs::path& folder : part.folders) add_unlabelled(folder, part.split);
    } else {
      add_table(part);
    }
  }

  /// All rows of the table, without labels.
  void add_unlabelled_table(const CsvPart& part) {
    const CsvTable table = checked_table(part);
    const CsvColumns columns = unlabelled_columns(table, wishes_);
    listing_.decided = {{"csv-name", table.columns[columns.name]}, {"csv-separator", table.separator_name()}};
    add_rows(part, table, columns);
  }

  Listing finish() {
    note_unnamed();
    return std::move(listing_);
  }

 private:
  struct Use {
    std::string table;
    std::int64_t line;
  };

  void add_table(const CsvPart& part) {
    const CsvTable table = checked_table(part);
    const CsvColumns columns = columns_of(table, part.split);
    add_rows(part, table, columns);
    if (training(part.split)) check_training_weights(table, columns);
  }

  static CsvTable checked_table(const CsvPart& part) {
    CsvTable table = read_csv(part.table);
    if (table.rows.empty()) throw Error("no row below the header", table.file, "a row an image is expected");
    return table;
  }

  void add_rows(const CsvPart& part, const CsvTable& table, const CsvColumns& columns) {
    const ImageIndex& index = best_folder(part, table, columns.name);
    RowFaults faults(table);
    if (columns.label && training(part.split)) number_classes(table, columns, faults);
    const SharedText split = part.split;
    for (const CsvRow& row : table.rows) add_row(row, table, columns, index, split, faults);
    faults.check(index.folder().string());
    note_table(table, columns, index);
  }

  void check_training_weights(const CsvTable& table, const CsvColumns& columns) const {
    const auto counts = [](const Candidate& candidate) { return candidate.weight > 0; };
    if (!columns.weight || std::ranges::any_of(listing_.candidates, counts)) return;
    throw Error(fmt::format("column '{}' holds no weight above 0", table.columns[*columns.weight]), table.file,
                "weights say how often an image is drawn: give some more than 0");
  }

  static bool training(std::string_view split) { return split.empty() || split == "train"; }

  CsvColumns columns_of(const CsvTable& table, const std::string& split) const {
    if (split != "test") return labelled_columns(table, wishes_, "; images without labels are packed with --split predict");
    const std::string& label = wishes_.label.empty() ? listing_.decided.at("csv-label") : wishes_.label;
    CsvColumns columns = columns_of_test(table, wishes_, label);
    const auto empty = [&](const CsvRow& row) { return row.fields[*columns.label].empty(); };
    if (columns.label && std::ranges::all_of(table.rows, empty)) columns.label.reset();
    return columns;
  }

  void number_classes(const CsvTable& table, const CsvColumns& columns, RowFaults& faults) {
    std::vector<std::string> labels;
    for (const CsvRow& row : table.rows) {
      const std::string& label = row.fields[*columns.label];
      if (label.empty()) faults.add(RowFaults::empty_label, row, fmt::format("'{}'", row.fields[columns.name]));
      if (!label.empty()) labels.push_back(label);
    }
    listing_.classes = classes_of(labels, table.file);
    for (std::size_t i = 0; i < listing_.classes.size(); ++i)
      labels_[listing_.classes[i]] = static_cast<std::int32_t>(i);
    note_similar_classes();
    listing_.decided = {{"csv-name", table.columns[columns.name]},
                        {"csv-label", table.columns[*columns.label]},
                        {"csv-separator", table.separator_name()}};
    if (columns.weight) listing_.decided["csv-weight"] = table.columns[*columns.weight];
  }

  /// "Pug" and "pug" may be meant so, or one of them is a slip.
  void note_similar_classes() {
    std::map<std::string, std::string> seen;  // in small letters → as written
    for (const std::string& name : listing_.classes) {
      const auto [other, fresh] = seen.try_emplace(lower_case(name), name);
      if (fresh) continue;
      listing_.notes.push_back(fmt::format("the classes '{}' and '{}' differ by case only", other->second, name));
    }
  }

  void add_row(const CsvRow& row, const CsvTable& table, const CsvColumns& columns, const ImageIndex& index,
               const SharedText& split, RowFaults& faults) {
    const std::string& name = row.fields[columns.name];
    if (name.empty()) return faults.add(RowFaults::empty_name, row, "");
    const std::vector<std::string> found = index.find(name);
    if (found.empty()) return faults.add(RowFaults::no_file, row, fmt::format("'{}'", name));
    if (found.size() > 1)
      return faults.add(RowFaults::several_files, row, fmt::format("'{}': {}", name, first_of(found, 3)));
    const fs::path file = index.folder() / found[0];
    const auto [use, fresh] = used_.try_emplace(file.lexically_normal().string(), Use{table.file, row.line});
    if (!fresh) {
      const Use& other = use->second;
      const std::string place = other.table == table.file ? fmt::format("line {}", other.line)
                                                          : fmt::format("{}:{}", other.table, other.line);
      return faults.add(RowFaults::twice, row, fmt::format("'{}', as in {}", name, place));
    }
    std::int32_t label = -1;
    if (columns.label) label = label_of(row, row.fields[*columns.label], training(split), faults);
    const float weight = columns.weight ? weight_of(row, row.fields[*columns.weight], faults) : 1;
    listing_.candidates.push_back({relative(file), split, "", label, weight});
  }

  static float weight_of(const CsvRow& row, const std::string& text, RowFaults& faults) {
    const auto weight = static_cast<float>(as_number(text).value_or(-1));
    if (weight >= 0 && std::isfinite(weight)) return weight;
    faults.add(RowFaults::bad_weight, row, fmt::format("'{}'", text));
    return 1;
  }

  /// −1 where there is none, which is a fault then.
  std::int32_t label_of(const CsvRow& row, const std::string& label, bool counted, RowFaults& faults) const {
    const auto known = labels_.find(label);
    if (known != labels_.end()) return known->second;
    if (counted) return -1;  // an empty one, which number_classes has found
    faults.add(label.empty() ? RowFaults::empty_label : RowFaults::unknown_class, row, fmt::format("'{}'", label));
    return -1;
  }

  /// The first of the part's folders in which most names find one file; if none finds one, the first with several.
  const ImageIndex& best_folder(const CsvPart& part, const CsvTable& table, std::size_t name_column) {
    const ImageIndex *best = nullptr, *ambiguous = nullptr;
    std::int64_t most = 0;
    for (const fs::path& folder : part.folders) {
      const ImageIndex& index = index_of(folder);
      std::int64_t found = 0;
      for (const CsvRow& row : table.rows) {
        const std::size_t files = index.find(row.fields[name_column]).size();
        found += files == 1;
        if (files > 1 && ambiguous == nullptr) ambiguous = &index;
      }
      if (found > most) best = &index;
      most = std::max(most, found);
      if (most == static_cast<std::int64_t>(table.rows.size())) break;
    }
    if (best == nullptr) best = ambiguous;
    if (best == nullptr) fail_without_images(part, table, name_column);
    chosen_.insert(best);
    return *best;
  }

  [[noreturn]] static void fail_without_images(const CsvPart& part, const CsvTable& table, std::size_t name_column) {
    std::vector<std::string> folders;
    for (const fs::path& folder : part.folders) folders.push_back(folder.string());
    throw Error(fmt::format("none of the {} named images (column '{}', first '{}') was found in {}", table.rows.size(),
                            table.columns[name_column], table.rows[0].fields[name_column], first_of(folders)),
                table.place(table.rows[0]),
                "name the folder with --images-folder DIR, or the column with --csv-name COLUMN");
  }

  const ImageIndex& index_of(const fs::path& folder) { return indices_.try_emplace(folder, folder).first->second; }

  void add_unlabelled(const fs::path& folder, const SharedText& split) {
    const SharedText no_image = no_image_extension;
    std::int64_t images = 0;
    for (const std::string& name : files_below(folder)) {
      const bool image = may_be_image(name);
      images += image;
      listing_.candidates.push_back({relative(folder / name), split, image ? SharedText() : no_image, -1});
      used_.try_emplace((folder / name).lexically_normal().string(), Use{folder.string(), 0});
    }
    listing_.notes.push_back(fmt::format("{}/ has no table: {} unlabelled images", relative(folder), images));
  }

  void note_table(const CsvTable& table, const CsvColumns& columns, const ImageIndex& index) {
    const std::string labels =
        columns.label ? fmt::format("labels in '{}'", table.columns[*columns.label]) : "no labels";
    listing_.notes.push_back(fmt::format("{}: {} rows, names in column '{}', {}, separator {}; images in {}",
                                         table.file, table.rows.size(), table.columns[columns.name], labels,
                                         table.separator_name(), index.folder().string()));
  }

  void note_unnamed() {
    std::set<std::string> unnamed;
    for (const ImageIndex* index : chosen_) {
      for (const std::string& name : index->files()) {
        std::string file = (index->folder() / name).lexically_normal().string();
        if (!used_.contains(file)) unnamed.insert(std::move(file));
      }
    }
    if (unnamed.empty()) return;
    listing_.notes.push_back(fmt::format("images that no row names, left out: {} ({})", unnamed.size(),
                                         first_of({unnamed.begin(), unnamed.end()}, 3)));
  }

  /// Relative to the input where the file lies below it, else absolute.
  std::string relative(const fs::path& file) const {
    const fs::path inside = file.lexically_relative(base_);
    if (!inside.empty() && *inside.begin() != "..") return inside.string();
    return fs::absolute(file).lexically_normal().string();
  }

  const fs::path& base_;
  const ColumnWishes& wishes_;
  Listing listing_;
  std::unordered_map<std::string, std::int32_t> labels_;  // class → label
  std::unordered_map<std::string, Use> used_;             // file → the row that names it
  std::map<fs::path, ImageIndex> indices_;                // folder → its images
  std::set<const ImageIndex*> chosen_;                    // those that tables refer to
};

}  // namespace

std::vector<std::string> classes_of(const std::vector<std::string>& labels, const std::string& where) {
  const std::set<std::string> different(labels.begin(), labels.end());
  std::vector<std::string> classes(different.begin(), different.end());
  if (!std::ranges::all_of(classes, [](const std::string& label) { return as_number(label).has_value(); }))
    return classes;
  std::ranges::sort(classes, {}, [](const std::string& label) { return *as_number(label); });
  const auto same = std::ranges::adjacent_find(classes, {}, [](const std::string& label) { return *as_number(label); });
  if (same == classes.end()) return classes;
  throw Error(fmt::format("the labels '{}' and '{}' are the same number", *same, *(same + 1)), where,
              "write each class in one way");
}

CsvSource::CsvSource(fs::path input, fs::path images_folder, ColumnWishes wishes, std::string split)
    : input_(std::move(input)),
      images_folder_(std::move(images_folder)),
      wishes_(std::move(wishes)),
      split_(std::move(split)),
      base_(input_) {
  if (!fs::is_directory(input_)) base_ = input_.has_parent_path() ? input_.parent_path() : ".";
}

Listing CsvSource::list() {
  Assembly assembly(base_, wishes_);
  if (!split_.empty()) {
    if (fs::is_directory(input_))
      throw Error("a folder, but --split takes the images of one table", input_.string(), "name it: --input FILE.csv");
    CsvPart part = find_csv_parts(input_, images_folder_).front();
    part.split = split_;
    assembly.add_unlabelled_table(part);
    return assembly.finish();
  }
  for (const CsvPart& part : find_csv_parts(input_, images_folder_)) assembly.add(part);
  return assembly.finish();
}

std::filesystem::path CsvSource::file_of(std::int64_t, const Candidate& candidate) const {
  return base_ / candidate.path.view();
}

Picture CsvSource::picture(std::int64_t, const Candidate& candidate, const PictureRequest& request) const {
  return read_picture(base_ / candidate.path.view(), request);
}

}  // namespace lockstep::preprocess
