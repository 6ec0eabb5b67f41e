#include "lockstep/evaluate/kept_predictions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <set>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/hdf5.hpp"
#include "lockstep/core/partial_file.hpp"
#include "lockstep/core/text.hpp"
#include "lockstep/evaluate/counterpart.hpp"

namespace lockstep {
namespace {
namespace fs = std::filesystem;

constexpr const char* evaluate_again = "evaluate the run again: lockstep evaluate writes the file anew";

/// A group's name: '/' would begin another group, and "." is HDF5's own name for a group itself.
std::string group_of(const std::string& split) {
  std::string group;
  for (const char letter : split) {
    if (letter == '/' || letter == '%' || (letter == '.' && group.empty()))
      group += fmt::format("%{:02X}", static_cast<unsigned>(letter));
    else
      group += letter;
  }
  return group;
}

template <typename Number>
std::span<const std::uint8_t> bytes_of(const std::vector<Number>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(Number)};
}

std::string checksum_of(const SplitPredictions& split, const std::vector<std::string>& classes) {
  Digest digest;
  digest.add(static_cast<std::int64_t>(classes.size()));
  for (const std::string& name : classes) digest.add(std::string_view(name));
  for (const std::string* text : {&split.split, &split.weights, &split.weights_digest, &split.data_digest})
    digest.add(std::string_view(*text));
  for (const auto* column : {&split.ids, &split.labels, &split.predicted}) digest.add(bytes_of(*column));
  digest.add(static_cast<std::uint8_t>(split.single_precision));
  if (split.single_precision)
    digest.add(bytes_of(std::vector<float>(split.scores.begin(), split.scores.end())));
  else
    digest.add(bytes_of(split.scores));
  return digest.hex();
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> all;
  for (const std::string& text : texts) all.push_back(text.c_str());
  return all;
}

void write_split(hdf5::File& file, const SplitPredictions& split, const std::vector<std::string>& classes) {
  const std::string group = group_of(split.split);
  const auto columns = static_cast<std::int64_t>(classes.size());
  file.make_group(group);
  file.write(group + "/ids", split.ids);
  file.write(group + "/labels", std::vector<std::int32_t>(split.labels.begin(), split.labels.end()));
  file.write(group + "/predicted", std::vector<std::int32_t>(split.predicted.begin(), split.predicted.end()));
  if (split.single_precision)
    file.write_table(group + "/scores", std::vector<float>(split.scores.begin(), split.scores.end()), columns);
  else
    file.write_table(group + "/scores", split.scores, columns);
  file.write_text_attribute(group, "weights", split.weights);
  file.write_text_attribute(group, "weights_digest", split.weights_digest);
  file.write_text_attribute(group, "data", split.data_digest);
  file.write_text_attribute(group, "checksum", checksum_of(split, classes));
}

std::vector<std::string> read_texts(const hdf5::File& file, const std::string& name) {
  std::vector<std::string> texts(file.text_count(name));
  file.read_texts(name, [&](std::size_t i, std::string_view text) { texts[i] = text; });
  return texts;
}

std::string text_attribute(const hdf5::File& file, const std::string& group, const std::string& name,
                           const std::string& where) {
  const auto texts = file.read_text_attribute(group, name);
  if (texts && texts->size() == 1) return texts->front();
  throw Error(fmt::format("no attribute {} of one text", name), where, evaluate_again);
}

std::vector<std::int64_t> read_numbers(const hdf5::File& file, const std::string& name) {
  const std::vector<std::int32_t> values = file.read_int32(name);
  return {values.begin(), values.end()};
}

/// Errors: columns of several lengths, no sample, ids that do not rise, classes that there are not, scores that are not
/// finite or differ by what isn't.
void check(const SplitPredictions& split, std::size_t classes, const std::string& where) {
  const auto fail = [&](const std::string& what) { throw Error(what, where, evaluate_again); };
  if (split.ids.empty()) fail("no sample");
  if (split.labels.size() != split.ids.size() || split.predicted.size() != split.ids.size())
    fail(fmt::format("{} ids, {} labels, {} predictions", split.ids.size(), split.labels.size(),
                     split.predicted.size()));
  if (!std::ranges::is_sorted(split.ids, std::less_equal<>())) fail("ids that do not rise");
  for (std::size_t i = 0; i < split.ids.size(); ++i) {
    for (const std::int64_t number : {split.labels[i], split.predicted[i]}) {
      if (number < 0 || std::cmp_greater_equal(number, classes))
        fail(fmt::format("class {} of sample {}, there are {}", number, split.ids[i], classes));
    }
  }
  for (std::size_t i = 0; i < split.ids.size(); ++i) {
    const std::span<const double> row = std::span(split.scores).subspan(i * classes, classes);
    for (const double score : row) {
      if (!std::isfinite(score)) fail(fmt::format("a score of sample {} is {}", split.ids[i], score));
    }
    const auto [least, most] = std::ranges::minmax(row);
    if (!std::isfinite(most - least))
      fail(fmt::format("the scores of sample {}, {} to {}, lie too far apart", split.ids[i], least, most));
  }
}

SplitPredictions read_split(const hdf5::File& file, const std::string& name, const std::vector<std::string>& classes,
                            const std::string& file_name) {
  const std::string group = group_of(name), where = file_name + ":/" + group;
  SplitPredictions split;
  split.split = name;
  split.weights = text_attribute(file, group, "weights", where);
  split.weights_digest = text_attribute(file, group, "weights_digest", where);
  split.data_digest = text_attribute(file, group, "data", where);
  split.ids = file.read_int64(group + "/ids");
  split.labels = read_numbers(file, group + "/labels");
  split.predicted = read_numbers(file, group + "/predicted");
  split.single_precision = file.layout(group + "/scores").element == hdf5::Element::float32;
  split.scores = file.read_table(group + "/scores", split.ids.size(), classes.size());
  check(split, classes.size(), where);
  const std::string found = checksum_of(split, classes), expected = text_attribute(file, group, "checksum", where);
  if (found == expected) return split;
  throw Error(fmt::format("the checksum of the predictions is {}, {} expected", found, expected), where,
              evaluate_again);
}

/// A file whose splits are not read yet.
struct OpenedFile {
  hdf5::File file;
  std::vector<std::string> classes, splits;
};

OpenedFile open_file(const fs::path& path) {
  OpenedFile opened{hdf5::File::open(path), {}, {}};
  if (const std::int32_t version = opened.file.read_attribute("format_version");
      version != KeptPredictions::format_version) {
    throw Error(fmt::format("predictions of format version {}, this program reads {}", version,
                            KeptPredictions::format_version),
                path.string(), evaluate_again);
  }
  opened.classes = read_texts(opened.file, "classes");
  if (opened.classes.empty()) throw Error("no classes", path.string(), evaluate_again);
  opened.splits = read_texts(opened.file, "splits");
  if (std::set<std::string>(opened.splits.begin(), opened.splits.end()).size() != opened.splits.size())
    throw Error("two splits of the same name", path.string(), evaluate_again);
  return opened;
}

KeptPredictions read_file_of(const fs::path& path) {
  OpenedFile opened = open_file(path);
  KeptPredictions predictions{std::move(opened.classes), {}};
  for (const std::string& name : opened.splits)
    predictions.splits.push_back(read_split(opened.file, name, predictions.classes, path.string()));
  return predictions;
}

/// Everything but the splits themselves.
hdf5::File begin_file(const fs::path& partial, const fs::path& path, const std::vector<std::string>& classes,
                      const std::vector<std::string>& splits) {
  hdf5::File file = hdf5::File::create(partial, path.string());
  file.write_attribute("format_version", KeptPredictions::format_version);
  file.write("classes", pointers(classes));
  file.write("splits", pointers(splits));
  return file;
}

/// What `read` gives; nothing, and why, where it cannot be read.
template <typename Read>
auto unless_damaged(const Read& read, std::string& why) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    why = error.message();
    return std::nullopt;
  }
}

/// Writes the file anew with `split` in its place, one split of `before` after the other. Whether all could be read;
/// else `why` not, and nothing is written.
bool write_among(const fs::path& path, const OpenedFile& before, const SplitPredictions& split, std::string& why) {
  std::vector<std::string> names = before.splits;
  if (std::ranges::find(names, split.split) == names.end()) names.push_back(split.split);
  PartialFile partial(path);
  hdf5::File file = begin_file(partial.path(), path, before.classes, names);
  for (const std::string& name : names) {
    if (name == split.split) {
      write_split(file, split, before.classes);
      continue;
    }
    const auto kept = unless_damaged([&] { return read_split(before.file, name, before.classes, path.string()); }, why);
    if (!kept) return false;
    write_split(file, *kept, before.classes);
  }
  file.close();
  partial.publish();
  return true;
}

}  // namespace

JudgedSamples SplitPredictions::judged() const {
  const std::size_t classes = scores.size() / ids.size();
  std::vector<Prediction> predictions;
  predictions.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    predictions.push_back(predict(std::span(scores).subspan(i * classes, classes), ids[i], labels[i], predicted[i]));
  return judged_samples(std::move(predictions), scores, static_cast<std::int64_t>(classes));
}

const SplitPredictions* KeptPredictions::find(std::string_view split) const {
  const auto found = std::ranges::find(splits, split, &SplitPredictions::split);
  return found == splits.end() ? nullptr : &*found;
}

const SplitPredictions& KeptPredictions::split(std::string_view name, const fs::path& file) const {
  if (const SplitPredictions* found = find(name)) return *found;
  std::vector<std::string> names;
  for (const SplitPredictions& split : splits) names.push_back("'" + split.split + "'");
  throw Error(fmt::format("no predictions of '{}'", name), file.string(),
              fmt::format("there are those of {}; lockstep evaluate --run RUN --split {} adds them",
                          names.empty() ? "none" : first_of(names, 8), name));
}

bool is_kept_predictions(const fs::path& file) {
  if (const std::string ending = lower_case(file.extension().string()); ending == ".h5" || ending == ".hdf5")
    return true;
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  std::string start(signature.size(), '\0');
  std::ifstream(file, std::ios::binary).read(start.data(), std::ssize(start));
  return start == signature;
}

void write_predictions(const fs::path& path, const KeptPredictions& predictions) {
  std::vector<std::string> names;
  for (const SplitPredictions& split : predictions.splits) names.push_back(split.split);
  PartialFile partial(path);
  hdf5::File file = begin_file(partial.path(), path, predictions.classes, names);
  for (const SplitPredictions& split : predictions.splits) write_split(file, split, predictions.classes);
  file.close();
  partial.publish();
}

KeptPredictions read_predictions(const fs::path& file) {
  if (!fs::exists(file))
    throw Error("no such predictions", file.string(), "name a predictions.h5, as lockstep evaluate writes it");
  try {
    return read_file_of(file);
  } catch (const Error& error) {  // HDF5's hints are those of data sets
    throw Error(error.message(), error.where(), evaluate_again, error.exit_code());
  }
}

fs::path set_aside(const fs::path& file) { return file.string() + ".old"; }

std::string keep_predictions(const fs::path& file, const std::vector<std::string>& classes,
                             const SplitPredictions& split) {
  std::string why;
  if (fs::exists(file)) {
    const auto before = unless_damaged([&] { return open_file(file); }, why);
    if (before) why = difference_of_classes(classes, before->classes);
    if (why.empty() && write_among(file, *before, split, why)) return "";
    fs::rename(file, set_aside(file));  // another program may still read it
  }
  write_predictions(file, {classes, {split}});
  return why;
}

}  // namespace lockstep
