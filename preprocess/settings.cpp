#include "preprocess/settings.hpp"

#include <fmt/format.h>

#include "lockstep/core/error.hpp"

namespace lockstep::preprocess {
namespace {

/// Sides unless one is given: what most networks are fed with, and enough for the pools of a five-layer network.
constexpr int photograph_side = 224, generated_side = 64;

SourceKind source_of(const Options& options) {
  const std::string name = options.text("source");
  if (name == "idx") return SourceKind::idx;
  return name == "generated" ? SourceKind::generated : SourceKind::class_folders;
}

Fit fit_of(const Options& options) {
  const std::string name = options.text("resize");
  if (name == "stretch") return Fit::stretch;
  return name == "pad" ? Fit::pad : Fit::crop;
}

/// 0: the images' own.
int side_of(const Options& options, SourceKind source) {
  const auto side = static_cast<int>(options.integer("side"));
  if (side != 0 || source == SourceKind::idx) return side;
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
  if (!settings.folder_as.empty() && settings.source != SourceKind::class_folders) {
    options.reject("folder-as", "only class folders have folders to map", "leave it away");
  }
}

}  // namespace

PackSettings PackSettings::from(const Options& options) {
  PackSettings settings;
  settings.source = source_of(options);
  if (options.has("input")) settings.input = options.path("input");
  settings.output = options.path("output");
  settings.side = side_of(options, settings.source);
  settings.fit = fit_of(options);
  settings.channels = static_cast<int>(options.integer("channels"));
  settings.shares = {options.real("validation"), options.real("test")};
  settings.folder_as = folder_map(options);
  settings.seed = static_cast<std::uint64_t>(options.integer("seed"));
  settings.shard_bytes = options.integer("shard-mib") << 20;
  settings.threads = options.integer("threads");
  settings.strict = options.flag("strict");
  settings.images = options.integer("images");
  settings.classes = options.integer("classes");
  check_together(options, settings);
  return settings;
}

std::map<std::string, std::string> PackSettings::summary() const {
  constexpr const char* sources[] = {"class-folders", "idx", "generated"};
  constexpr const char* fits[] = {"crop", "stretch", "pad"};
  std::map<std::string, std::string> texts = {
      {"source", sources[static_cast<int>(source)]},
      {"resize", fits[static_cast<int>(fit)]},
      {"validation", fmt::format("{}", shares.validation)},
      {"test", fmt::format("{}", shares.test)},
      {"seed", std::to_string(seed)},
  };
  if (!input.empty()) texts["input"] = input.string();
  std::string folders;
  for (const auto& [given, split] : folder_as) folders += (folders.empty() ? "" : ",") + given + "=" + split;
  if (!folders.empty()) texts["folder-as"] = folders;
  return texts;
}

}  // namespace lockstep::preprocess
