#include "preprocess/source.hpp"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "preprocess/cifar.hpp"
#include "preprocess/class_folders.hpp"
#include "preprocess/csv_source.hpp"
#include "preprocess/generated.hpp"
#include "preprocess/idx.hpp"
#include "preprocess/image_files.hpp"
#include "preprocess/image_folder.hpp"

namespace lockstep::preprocess {

// Paths are byte strings that need not be UTF-8: CBOR strings pass through nlohmann's library unchecked.
std::string Listing::to_bytes() const {
  std::vector<std::string> paths, splits, refusals;
  std::vector<std::int32_t> labels;
  std::vector<float> weights;  // empty where there are none
  std::vector<std::int64_t> times, sizes;
  nlohmann::json duplicates = nlohmann::json::array();  // [candidate, duplicate_of], few
  for (const Candidate& candidate : candidates) {
    paths.push_back(candidate.path);
    splits.push_back(candidate.given_split);
    refusals.push_back(candidate.refusal);
    labels.push_back(candidate.label);
    times.push_back(candidate.modified);
    sizes.push_back(candidate.bytes);
    if (weighted) weights.push_back(candidate.weight);
    if (candidate.duplicate_of >= 0) duplicates.push_back({paths.size() - 1, candidate.duplicate_of});
  }
  const nlohmann::json root = {
      {"classes", classes}, {"height", height}, {"width", width},          {"notes", notes},   {"decided", decided},
      {"paths", paths},     {"splits", splits}, {"refusals", refusals},    {"labels", labels}, {"weights", weights},
      {"times", times},     {"sizes", sizes},   {"duplicates", duplicates}};
  std::string bytes;
  nlohmann::json::to_cbor(root, bytes);
  return bytes;
}

Listing Listing::from_bytes(const std::string& bytes) {
  const nlohmann::json root = nlohmann::json::from_cbor(bytes);
  Listing listing;
  listing.classes = root.at("classes").get<std::vector<std::string>>();
  listing.height = root.at("height").get<std::int64_t>();
  listing.width = root.at("width").get<std::int64_t>();
  listing.notes = root.at("notes").get<std::vector<std::string>>();
  listing.decided = root.at("decided").get<std::map<std::string, std::string>>();
  const nlohmann::json& paths = root.at("paths");
  listing.weighted = !root.at("weights").empty();
  listing.candidates.resize(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    listing.candidates[i] = {paths[i].get<std::string>(),
                             root["splits"][i].get<std::string>(),
                             root["refusals"][i].get<std::string>(),
                             root["labels"][i].get<std::int32_t>(),
                             1,
                             root["times"][i].get<std::int64_t>(),
                             root["sizes"][i].get<std::int64_t>(),
                             -1};
    if (listing.weighted) listing.candidates[i].weight = root["weights"][i].get<float>();
  }
  for (const nlohmann::json& pair : root.at("duplicates"))
    listing.candidates.at(pair[0].get<std::size_t>()).duplicate_of = pair[1].get<std::int64_t>();
  return listing;
}

SourceBytes Source::bytes_of(std::int64_t id, const Candidate& candidate, BytesWanted wanted) const {
  const std::filesystem::path file = file_of(id, candidate);
  return file.empty() ? SourceBytes{} : bytes_of_file(file, wanted);
}

void take_times(const Source& source, Listing& listing) {
  constexpr std::int64_t second = 1'000'000'000;
  std::filesystem::path before;
  struct stat facts {};
  for (std::size_t i = 0; i < listing.candidates.size(); ++i) {
    std::filesystem::path file = source.file_of(static_cast<std::int64_t>(i), listing.candidates[i]);
    if (file.empty()) continue;
    const bool same = file == before;  // many images in one file
    if (!same && ::stat(file.c_str(), &facts) != 0) facts = {};
    before = std::move(file);
    Candidate& candidate = listing.candidates[i];
    candidate.modified = facts.st_mtim.tv_sec * second + facts.st_mtim.tv_nsec;
    candidate.bytes = same ? 0 : facts.st_size;
    if (same) listing.candidates[i - 1].bytes = 0;
  }
}

std::unique_ptr<Source> make_source(const PackSettings& settings) {
  switch (settings.source) {
    case SourceKind::idx:
      return std::make_unique<IdxSource>(settings.input, settings.most_pixels);
    case SourceKind::generated:
      return std::make_unique<GeneratedSource>(settings.images, settings.classes, settings.seed);
    case SourceKind::csv:
      return std::make_unique<CsvSource>(settings.input, settings.images_folder, settings.columns, settings.split);
    case SourceKind::images:
      return std::make_unique<ImageFolder>(settings.input, settings.split);
    case SourceKind::cifar10:
      return std::make_unique<CifarSource>(settings.input, CifarKind::cifar10, settings.strict);
    case SourceKind::cifar100:
      return std::make_unique<CifarSource>(settings.input, CifarKind::cifar100, settings.strict);
    case SourceKind::class_folders:
      break;
  }
  return std::make_unique<ClassFolders>(settings.input, settings.folder_as, settings.class_depth);
}

}  // namespace lockstep::preprocess
