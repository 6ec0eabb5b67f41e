#include "preprocess/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lockstep/core/error.hpp"

namespace lockstep::preprocess {
namespace {

/// Sides unless one is given: what most networks are fed with, and enough for the pools of a five-layer network.
constexpr int photograph_side = 224, generated_side = 64;

constexpr std::array source_names = {"class-folders", "csv",      "images",   "idx",
                                     "cifar10",       "cifar100", "generated"};  // [SourceKind]

SourceKind source_of(const Options& options) {
  const auto found = std::ranges::find(source_names, options.text("source"));
  return static_cast<SourceKind>(found - source_names.begin());
}

/// Whether all images of the source have a size of their own, which is kept unless another is asked for.
bool has_one_size(SourceKind source) {
  return source == SourceKind::idx || source == SourceKind::cifar10 || source == SourceKind::cifar100;
}

Fit fit_of(const Options& options) {
  const std::string name = options.text("resize");
  if (name == "stretch") return Fit::stretch;
  return name == "pad" ? Fit::pad : Fit::crop;
}

StoreWish store_of(const Options& options) {
  const std::string name = options.text("store");
  if (name == "jpeg") return StoreWish::jpeg;
  return name == "auto" ? StoreWish::automatic : StoreWish::raw;
}

/// 0: the images' own.
int side_of(const Options& options, SourceKind source) {
  const auto side = static_cast<int>(options.integer("side"));
  if (side != 0 || has_one_size(source)) return side;
  return source == SourceKind::generated ? generated_side : photograph_side;
}

std::map<std::string, std::string> folder_map(const Options& options) {
  std::map<std::string, std::string> folders;
  if (!options.has("folder-as")) return folders;
  for (const std::string& pair : options.texts("folder-as")) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == pair.size()) {
      options.reject("folder-as", fmt::format("'{}' is not GIVEN=SPLIT", pair), "for example val=test");
    }
    folders[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return folders;
}

/// Options that only some sources understand are errors with the others, not passed over.
void check_belongs(const Options& options, const PackSettings& settings) {
  const auto only = [&](const char* option, std::initializer_list<SourceKind> sources, const std::string& what) {
    if (!options.said(option) || std::ranges::find(sources, settings.source) != sources.end()) return;
    options.reject(option, what, "leave it away");
  };
  only("folder-as", {SourceKind::class_folders}, "only class folders have folders to map");
  only("class-folder", {SourceKind::class_folders}, "only --source class-folders takes classes from folders");
  only("split", {SourceKind::csv, SourceKind::images}, "only --source images and csv take images without labels");
  for (const char* option : {"csv-name", "csv-label", "csv-weight", "images-folder"})
    only(option, {SourceKind::csv}, "only --source csv has tables");
  only("class-names", {SourceKind::class_folders, SourceKind::csv}, "only class folders and CSV files name classes");
}

/// Unlabelled images can be neither trained on nor judged.
void check_split(const Options& options, const PackSettings& settings) {
  if (settings.split == "train" || settings.split == "validation")
    options.reject("split", fmt::format("unlabelled images as the split '{}'", settings.split), "predict, or test");
  const bool name = !settings.split.empty() && settings.split.find_first_of("/+,") == std::string::npos;
  if (options.said("split") && (!name || settings.split.starts_with('.')))
    options.reject("split", fmt::format("'{}' is no name for a split", settings.split), "a word such as predict");
  if (settings.split.empty() || settings.source != SourceKind::csv) return;
  for (const char* option : {"csv-label", "csv-weight"}) {
    if (options.said(option))
      options.reject(option, "with --split the images are unlabelled", "leave one of both away");
  }
}

void check_store(const Options& options, const PackSettings& settings) {
  if (settings.store == StoreWish::raw && options.said("quality"))
    options.reject("quality", "raw pixels have no JPEG quality", "add --store jpeg, or leave it away");
}

void check_together(const Options& options, const PackSettings& settings) {
  const bool generated = settings.source == SourceKind::generated;
  if (settings.channels == 2) options.reject("channels", "2 channels", "1 (grey) or 3 (RGB)");
  if (!generated && settings.input.empty()) {
    throw usage_error("no input given", "--input", "name the folder with the images, or use --source generated");
  }
  if (generated && !settings.input.empty()) {
    options.reject("input", "generated pictures have no input", "leave --input away, or name another --source");
  }
  if (generated && settings.images < settings.classes) {
    options.reject("images", fmt::format("{} images for {} classes", settings.images, settings.classes),
                   "at least one of each class");
  }
  check_belongs(options, settings);
  check_split(options, settings);
  check_store(options, settings);
}

}  // namespace

PackSettings PackSettings::from(const Options& options) {
  PackSettings settings;
  settings.source = source_of(options);
  if (options.has("input")) settings.input = options.path("input");
  if (options.has("images-folder")) settings.images_folder = options.path("images-folder");
  settings.class_depth = options.text("class-folder") == "deepest" ? ClassDepth::deepest : ClassDepth::first;
  if (options.has("class-names")) settings.class_names = options.path("class-names");
  if (options.has("csv-name")) settings.columns.name = options.text("csv-name");
  if (options.has("csv-label")) settings.columns.label = options.text("csv-label");
  if (options.has("csv-weight")) settings.columns.weight = options.text("csv-weight");
  if (settings.source == SourceKind::images) settings.split = "predict";
  if (options.has("split")) settings.split = options.text("split");
  settings.output = options.path("output");
  settings.side = side_of(options, settings.source);
  settings.fit = fit_of(options);
  settings.channels = static_cast<int>(options.integer("channels"));
  settings.store = store_of(options);
  settings.quality = static_cast<int>(options.integer("quality"));
  settings.most_pixels = options.integer("max-pixels") * 1'000'000;
  settings.shares = {options.real("validation"), options.real("test")};
  settings.folder_as = folder_map(options);
  settings.seed = static_cast<std::uint64_t>(options.integer("seed"));
  settings.shard_bytes = options.integer("shard-mib") << 20;
  settings.threads = options.integer("threads");
  settings.strict = options.flag("strict");
  settings.drop_duplicates = options.flag("drop-duplicates");
  settings.fail_on = wished_findings(options);
  settings.add = options.flag("add");
  settings.images = options.integer("images");
  settings.classes = options.integer("classes");
  check_together(options, settings);
  return settings;
}

std::map<std::string, std::string> PackSettings::summary() const {
  constexpr const char* fits[] = {"crop", "stretch", "pad"};
  std::map<std::string, std::string> texts = {
      {"source", source_names[static_cast<std::size_t>(source)]},
      {"resize", fits[static_cast<int>(fit)]},
      {"validation", fmt::format("{}", shares.validation)},
      {"test", fmt::format("{}", shares.test)},
      {"seed", std::to_string(seed)},
      {"max-pixels", std::to_string(most_pixels / 1'000'000)},
      {"shard-mib", std::to_string(shard_bytes >> 20)},
  };
  if (!input.empty()) texts["input"] = input.string();
  if (!images_folder.empty()) texts["images-folder"] = images_folder.string();
  if (source == SourceKind::class_folders)
    texts["class-folder"] = class_depth == ClassDepth::first ? "first" : "deepest";
  if (!split.empty()) texts["split"] = split;
  if (drop_duplicates) texts["drop-duplicates"] = "true";
  constexpr const char* stores[] = {"raw", "jpeg", "auto"};
  texts["store"] = stores[static_cast<int>(store)];
  if (store != StoreWish::raw) texts["quality"] = std::to_string(quality);
  if (!class_names.empty()) texts["class-names"] = class_names.string();
  std::string folders;
  for (const auto& [given, taken] : folder_as) folders += (folders.empty() ? "" : ",") + given + "=" + taken;
  if (!folders.empty()) texts["folder-as"] = folders;
  return texts;
}

}  // namespace lockstep::preprocess
