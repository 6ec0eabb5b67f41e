#include "preprocess/source.hpp"

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "preprocess/cifar.hpp"
#include "preprocess/class_folders.hpp"
#include "preprocess/csv_source.hpp"
#include "preprocess/generated.hpp"
#include "preprocess/idx.hpp"
#include "preprocess/image_files.hpp"
#include "preprocess/image_folder.hpp"
#include "preprocess/packed_numbers.hpp"

namespace lockstep::preprocess {

namespace {

using Json = nlohmann::json;

template <typename Field>
Json column(const std::vector<Candidate>& candidates, Field Candidate::*field) {
  std::vector<Field> values;
  values.reserve(candidates.size());
  for (const Candidate& candidate : candidates) values.push_back(candidate.*field);
  return packed(values);
}

template <typename Field>
void set_column(std::vector<Candidate>& candidates, Field Candidate::*field, const Json& column) {
  const auto values = unpacked<Field>(column);
  for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].*field = values.at(i);
}

/// Texts that many candidates share: each of them once, and its number for each candidate.
Json shared_column(const std::vector<Candidate>& candidates, SharedText Candidate::*field) {
  std::map<SharedText, std::uint32_t> known;
  std::vector<std::string> texts;
  std::vector<std::uint32_t> numbers;
  numbers.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    const auto [text, fresh] = known.try_emplace(candidate.*field, static_cast<std::uint32_t>(texts.size()));
    if (fresh) texts.push_back(text->first);
    numbers.push_back(text->second);
  }
  return {{"texts", texts}, {"numbers", packed(numbers)}};
}

void set_shared_column(std::vector<Candidate>& candidates, SharedText Candidate::*field, const Json& column) {
  const auto texts = column.at("texts").get<std::vector<std::string>>();
  const std::vector<SharedText> shared(texts.begin(), texts.end());
  const auto numbers = unpacked<std::uint32_t>(column.at("numbers"));
  for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].*field = shared.at(numbers.at(i));
}

/// All paths in one text, and the length of each.
Json path_column(const std::vector<Candidate>& candidates) {
  std::string all;
  std::vector<std::uint32_t> lengths;
  lengths.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    all += candidate.path;
    lengths.push_back(static_cast<std::uint32_t>(candidate.path.view().size()));
  }
  return {{"text", std::move(all)}, {"lengths", packed(lengths)}};
}

std::vector<Candidate> candidates_of_paths(const Json& column) {
  const auto lengths = unpacked<std::uint32_t>(column.at("lengths"));
  std::string_view rest = column.at("text").get_ref<const std::string&>();
  std::vector<Candidate> candidates(lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    candidates[i].path = rest.substr(0, lengths[i]);
    rest.remove_prefix(candidates[i].path.view().size());
  }
  return candidates;
}

}  // namespace

// Paths are byte strings that need not be UTF-8: CBOR strings pass through nlohmann's library unchecked.
std::string Listing::to_bytes() const {
  Json root = {{"classes", classes},
               {"height", height},
               {"width", width},
               {"notes", notes},
               {"decided", decided},
               {"duplicates", duplicate_of},
               {"paths", path_column(candidates)},
               {"splits", shared_column(candidates, &Candidate::given_split)},
               {"refusals", shared_column(candidates, &Candidate::refusal)},
               {"labels", column(candidates, &Candidate::label)},
               {"times", column(candidates, &Candidate::modified)},
               {"sizes", column(candidates, &Candidate::bytes)}};
  if (weighted) root["weights"] = column(candidates, &Candidate::weight);
  std::string bytes;
  Json::to_cbor(root, bytes);
  return bytes;
}

Listing Listing::from_bytes(const std::string& bytes) {
  const Json root = Json::from_cbor(bytes);
  Listing listing;
  listing.classes = root.at("classes").get<std::vector<std::string>>();
  listing.height = root.at("height").get<std::int64_t>();
  listing.width = root.at("width").get<std::int64_t>();
  listing.notes = root.at("notes").get<std::vector<std::string>>();
  listing.decided = root.at("decided").get<std::map<std::string, std::string>>();
  listing.duplicate_of = root.at("duplicates").get<std::map<std::int64_t, std::int64_t>>();
  listing.candidates = candidates_of_paths(root.at("paths"));
  set_shared_column(listing.candidates, &Candidate::given_split, root.at("splits"));
  set_shared_column(listing.candidates, &Candidate::refusal, root.at("refusals"));
  set_column(listing.candidates, &Candidate::label, root.at("labels"));
  set_column(listing.candidates, &Candidate::modified, root.at("times"));
  set_column(listing.candidates, &Candidate::bytes, root.at("sizes"));
  listing.weighted = root.contains("weights");
  if (listing.weighted) set_column(listing.candidates, &Candidate::weight, root.at("weights"));
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
