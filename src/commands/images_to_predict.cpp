#include "commands/images_to_predict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/preprocess_program.hpp"
#include "commands/ranks.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/image_names.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

constexpr const char* packed_split = "predict";

bool is_table(const fs::path& file) {
  const std::string extension = lower_case(file.extension().string());
  return extension == ".csv" || extension == ".tsv";
}

/// The only table that lies in a folder; empty: there is none.
fs::path table_in(const fs::path& folder) {
  std::vector<std::string> tables;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const bool hidden = entry.path().filename().string().starts_with('.');
    if (!hidden && !entry.is_directory() && is_table(entry.path())) tables.push_back(entry.path().filename().string());
  }
  std::ranges::sort(tables);
  if (tables.size() <= 1) return tables.empty() ? fs::path() : folder / tables.front();
  throw Error(fmt::format("{} tables in this folder: {}", tables.size(), first_of(tables)), folder.string(),
              "name the one with the images to predict: --images FILE.csv");
}

/// A folder that packing made, or began to make.
bool is_data_set(const fs::path& path) {
  return fs::exists(path / Manifest::file_name) || (fs::exists(path / image_table_name) && fs::exists(path / "shards"));
}

/// --source and --input of the packing.
struct ImageSource {
  std::string kind, input;
};

ImageSource source_of(const fs::path& images) {
  if (!fs::exists(images)) throw Error("there are no such images", images.string(), "check --images");
  if (fs::is_directory(images)) {
    const fs::path table = table_in(images);
    return table.empty() ? ImageSource{"images", images.string()} : ImageSource{"csv", table.string()};
  }
  if (is_table(images)) return {"csv", images.string()};
  throw Error("neither a data set, nor a folder of images, nor a CSV file", images.string(),
              "name the folder that the image lies in");
}

std::vector<std::string> packing_words(const ImageSource& source, const Member& member, const fs::path& output,
                                       const Options& options) {
  std::vector<std::string> words{"--source",   source.kind,
                                 "--input",    source.input,
                                 "--output",   output.string(),
                                 "--split",    packed_split,
                                 "--side",     std::to_string(member.packed.width),
                                 "--channels", std::to_string(member.packed.channels),
                                 "--resize",   member.resize};
  for (const char* option : {"csv-name", "images-folder"}) {
    if (!options.has(option)) continue;
    words.insert(words.end(), {std::string("--") + option, options.text(option)});
  }
  for (const char* option : {"max-pixels", "threads"})
    words.insert(words.end(), {std::string("--") + option, options.text(option)});
  return words;
}

/// Its errors name its options; --input is what we call --images.
void pack_images(const std::vector<std::string>& words, const Log& log) {
  try {
    run_preprocess(words, [&log](std::string_view line) { log.info(line); });
  } catch (const Error& error) {
    std::string hint = error.hint();
    constexpr std::string_view theirs = "--input", ours = "--images";
    if (const std::size_t at = hint.find(theirs); at != std::string::npos) hint.replace(at, theirs.size(), ours);
    throw Error(error.message(), error.where(), hint);
  }
}

bool packed_alike(const Member& a, const Member& b) { return a.packed == b.packed && a.resize == b.resize; }

/// Of a packed data set.
std::string split_of(const Options& options, const Manifest& manifest) {
  if (options.has("split")) return options.text("split");
  return manifest.splits.size() == 1 ? manifest.splits.front().name : "test";
}

}  // namespace

ImagesToPredict::Naming ImagesToPredict::naming_of(std::string_view text) {
  if (text == "number") return Naming::number;
  if (text == "path") return Naming::path;
  return text == "file" ? Naming::file : Naming::stem;
}

ImagesToPredict::ImagesToPredict(const std::vector<Member>& asked, const Options& options, World& world, const Log& log)
    : options_(options),
      naming_(naming_of(options.text("id"))),
      shown_(set_threads(options.integer("threads"), world), flips_of(options)) {
  const bool packed = world.broadcast(world.rank() == 0 && is_data_set(options.path("images")) ? "packed" : "") != "";
  packed ? open_set(asked, world) : pack(asked, world, log);
  if (world.rank() == 0) read_table(log);
}

void ImagesToPredict::open_set(const std::vector<Member>& asked, World& world) {
  for (const char* option : {"csv-name", "images-folder"})
    options_.reject_unused(option, false, "a CSV file as --images");
  const fs::path folder = options_.path("images");
  const Manifest manifest = shared_manifest(world, folder);
  images_.push_back(std::make_shared<OpenSplit>(folder, manifest, split_of(options_, manifest)));
  for (const Member& member : asked) shown_.add(member, images_.front());
}

void ImagesToPredict::pack(const std::vector<Member>& asked, World& world, const Log& log) {
  options_.reject_unused("split", false, "a packed data set as --images");
  ImageSource source;
  if (world.rank() == 0) source = source_of(options_.path("images"));
  source = {world.broadcast(source.kind), world.broadcast(source.input)};
  for (const char* option : {"csv-name", "images-folder"})
    options_.reject_unused(option, source.kind == "csv", "a CSV file as --images");
  if (world.rank() == 0) {
    const fs::path beside = options_.path("output").parent_path();
    packings_ = std::make_unique<ProcessFolder>(beside.empty() ? fs::path(".") : beside);
  }
  std::vector<const Member*> kinds;  // [packing]
  for (const Member& member : asked) {
    const auto known = std::ranges::find_if(kinds, [&](const Member* other) { return packed_alike(*other, member); });
    const auto number = static_cast<std::size_t>(known - kinds.begin());
    if (known == kinds.end()) {
      kinds.push_back(&member);
      images_.push_back(packed(member, source.kind, source.input, number, world, log));
    }
    shown_.add(member, images_[number]);
  }
}

std::shared_ptr<const OpenSplit> ImagesToPredict::packed(const Member& member, const std::string& kind,
                                                         const std::string& input, std::size_t number, World& world,
                                                         const Log& log) {
  std::string folder;
  if (world.rank() == 0) {
    folder = (packings_->path() / std::to_string(number)).string();
    pack_images(packing_words({kind, input}, member, folder, options_), log);
  }
  folder = world.broadcast(folder);
  return std::make_shared<OpenSplit>(folder, shared_manifest(world, folder), packed_split);
}

void ImagesToPredict::read_table(const Log& log) {
  const OpenSplit& images = *images_.front();
  std::int64_t packed = 0;  // what the manifest counts; further rows are an unfinished --add's
  for (const auto& [status, count] : images.manifest.status_counts) packed += count;
  rows_ = read_image_table(images.folder / image_table_name, packed);
  std::int64_t elsewhere = 0;
  for (std::int64_t sample = 0; sample < std::ssize(rows_); ++sample) {
    const ImageRow& image = row(sample);
    if (image.status == ImageStatus::ok || !may_be_image(image.path.str())) continue;
    if (images.manifest.splits.size() == 1)
      unread_.push_back(sample);
    else
      ++elsewhere;  // of which split it would have been, nobody wrote down
  }
  if (elsewhere > 0)
    log.info(fmt::format(
        "note: {} images of the data set are in no split, being unreadable or left out; they have no row", elsewhere));
  const DataSplit& split = images.split;
  for (std::int64_t position = 0; position < split.samples(); ++position) {
    if (split.id(position) < std::ssize(rows_)) continue;
    throw Error(fmt::format("sample {} is not in the table of {} images", split.id(position), rows_.size()),
                (images.folder / image_table_name).string(), "the table is damaged: pack the data set again");
  }
  require_different_ids();
}

std::string_view ImagesToPredict::name_of(const ImageRow& row) const {
  const std::string_view path = row.path.view();
  if (naming_ == Naming::path) return path;
  const std::string_view file = path.substr(path.find_last_of('/') + 1);
  return naming_ == Naming::file ? file : file.substr(0, without_image_extension(std::string(file)).size());
}

void ImagesToPredict::require_different_ids() const {
  if (naming_ == Naming::number) return;
  std::vector<std::pair<std::string_view, std::int64_t>> names;
  const DataSplit& split = images_.front()->split;
  for (std::int64_t position = 0; position < split.samples(); ++position)
    names.emplace_back(name_of(row(split.id(position))), split.id(position));
  for (const std::int64_t sample : unread_) names.emplace_back(name_of(row(sample)), sample);
  std::ranges::sort(names);
  const auto same = std::ranges::adjacent_find(names, {}, &std::pair<std::string_view, std::int64_t>::first);
  if (same == names.end()) return;
  throw Error(fmt::format("two images would have the id '{}'", same->first),
              fmt::format("{} and {}", row(same->second).path.view(), row((same + 1)->second).path.view()),
              naming_ == Naming::path ? "give them other names, or say --id number" : "tell them apart: --id path");
}

std::string ImagesToPredict::id(std::int64_t sample) const {
  return naming_ == Naming::number ? std::to_string(sample) : std::string(name_of(row(sample)));
}

}  // namespace lockstep
