#include "lockstep/data/manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/json_fault.hpp"
#include "lockstep/data/image_table.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;  // the order of writing is the order of reading for a person

constexpr const char* repair_hint = "the manifest is damaged or was edited: copy it again, or pack the data set again";
constexpr std::int64_t largest_side = 65536;

[[noreturn]] void fail(const std::string& what, const std::string& where) { throw Error(what, where, repair_hint); }

/// One object of the JSON with its place in the file, for errors such as "manifest.json: splits[1].shards[0].bytes".
class Node {
 public:
  Node(const Json& value, std::string place, const std::string& where)
      : value_(value), place_(std::move(place)), where_(where) {}

  bool has(const std::string& key) const { return value_.is_object() && value_.contains(key); }
  Node at(const std::string& key) const {
    const std::string place = place_.empty() ? key : place_ + "." + key;
    if (!value_.is_object()) wrong("an object");
    if (!value_.contains(key)) fail("field '" + place + "' is missing", where_);
    return {value_.at(key), place, where_};
  }
  std::vector<Node> list() const {
    if (!value_.is_array()) wrong("a list");
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < value_.size(); ++i)
      nodes.emplace_back(value_[i], fmt::format("{}[{}]", place_, i), where_);
    return nodes;
  }
  std::vector<std::pair<std::string, Node>> members() const {
    if (!value_.is_object()) wrong("an object");
    std::vector<std::pair<std::string, Node>> nodes;
    for (const auto& [key, value] : value_.items()) nodes.emplace_back(key, Node(value, place_ + "." + key, where_));
    return nodes;
  }
  std::string text() const {
    if (!value_.is_string()) wrong("a text");
    return value_.get<std::string>();
  }
  bool truth() const {
    if (!value_.is_boolean()) wrong("true or false");
    return value_.get<bool>();
  }
  double real() const {
    if (!value_.is_number()) wrong("a number");
    const auto number = value_.get<double>();
    if (!std::isfinite(number) || number < 0) wrong("a finite number of at least 0");
    return number;
  }
  std::int64_t count(std::int64_t low = 0, std::int64_t high = INT64_MAX) const {
    // The library reads numbers above INT64_MAX as unsigned ones, and would wrap them.
    const bool fits = value_.is_number_unsigned() ? value_.get<std::uint64_t>() <= static_cast<std::uint64_t>(high)
                                                  : value_.is_number_integer() && value_.get<std::int64_t>() <= high;
    if (!fits || value_.get<std::int64_t>() < low) wrong(fmt::format("an integer from {} to {}", low, high));
    return value_.get<std::int64_t>();
  }
  [[noreturn]] void wrong(const std::string& expected) const {
    std::string found = value_.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (found.size() > 40) found = found.substr(0, 40) + "…";
    fail(fmt::format("field '{}' is {}, {} expected", place_, found, expected), where_);
  }

 private:
  const Json& value_;
  std::string place_;
  const std::string& where_;
};

Json shard_json(const ShardEntry& shard) {
  return {{"file", shard.file}, {"samples", shard.samples}, {"bytes", shard.bytes}, {"checksum", shard.checksum}};
}

Json split_json(const SplitEntry& split) {
  Json shards = Json::array();
  for (const ShardEntry& shard : split.shards) shards.push_back(shard_json(shard));
  return {{"name", split.name}, {"samples", split.samples}, {"class_counts", split.class_counts}, {"shards", shards}};
}

void check_version(const Node& root, const std::string& where) {
  const std::int64_t found = root.at("format_version").count();
  if (found >= Manifest::oldest_readable_version && found <= Manifest::format_version) return;
  throw Error(fmt::format("data set of format version {}, this program reads {} to {}", found,
                          Manifest::oldest_readable_version, Manifest::format_version),
              where, "pack the data set again with this version, or use the version of lockstep that packed it");
}

std::vector<std::string> parse_classes(const Node& node) {
  std::vector<std::string> classes;
  for (const Node& name : node.list()) classes.push_back(name.text());
  if (std::set<std::string>(classes.begin(), classes.end()).size() != classes.size()) node.wrong("classes that differ");
  return classes;
}

ImageShape parse_shape(const Node& node) {
  const ImageShape shape{node.at("height").count(1, largest_side), node.at("width").count(1, largest_side),
                         node.at("channels").count(1, 3)};
  if (shape.channels == 2) node.at("channels").wrong("1 or 3");
  return shape;
}

std::vector<double> parse_channels(const Node& node, std::int64_t channels) {
  std::vector<double> values;
  for (const Node& value : node.list()) values.push_back(value.real());
  if (static_cast<std::int64_t>(values.size()) != channels)
    node.wrong(fmt::format("{} values, one per channel,", channels));
  return values;
}

Json sums_json(const PixelSums& sums) {
  return {{"pixels", sums.pixels}, {"values", sums.values}, {"squares", sums.squares}};
}

std::vector<std::int64_t> parse_sums(const Node& node, std::int64_t channels) {
  std::vector<std::int64_t> sums;
  for (const Node& value : node.list()) sums.push_back(value.count());
  if (std::ssize(sums) != channels) node.wrong(fmt::format("{} values, one per channel,", channels));
  return sums;
}

/// Whether a name stays inside the data set's folder.
bool stays_inside(const fs::path& file) {
  const bool climbs = std::ranges::any_of(file, [](const fs::path& part) { return part == ".."; });
  return !file.empty() && file.is_relative() && !climbs && file.string().find('\0') == std::string::npos;
}

bool is_checksum(const std::string& text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Store parse_store(const Node& node) {
  const std::string name = node.text();
  for (const Store store : {Store::raw, Store::jpeg}) {
    if (name == name_of(store)) return store;
  }
  node.wrong("raw or jpeg");
}

ShardEntry parse_shard(const Node& node, const ShardFormat& format) {
  constexpr std::int64_t most_samples = std::int64_t{1} << 24;
  ShardEntry shard{node.at("file").text(), node.at("samples").count(1, most_samples), node.at("bytes").count(),
                   node.at("checksum").text()};
  if (!stays_inside(shard.file)) node.at("file").wrong("a file name inside the data set's folder");
  if (!is_checksum(shard.checksum)) node.at("checksum").wrong("16 hexadecimal digits");
  // Divided, not multiplied: 2^24 samples of 65536² pixels would overflow.
  const std::int64_t least = format.store == Store::raw ? format.shape.bytes() : 1;
  if (shard.bytes / shard.samples < least) {
    node.at("bytes").wrong(fmt::format("room for {} images of {} bytes", shard.samples, least));
  }
  return shard;
}

void check_counts(const SplitEntry& split, const Node& node, std::size_t classes) {
  std::int64_t in_shards = 0, labelled = 0;
  for (const ShardEntry& shard : split.shards) in_shards += shard.samples;
  for (const std::int64_t count : split.class_counts) labelled += count;
  if (in_shards != split.samples) node.at("samples").wrong(fmt::format("the {} of its shards", in_shards));
  if (split.class_counts.size() != classes) node.at("class_counts").wrong(fmt::format("{} counts", classes));
  if (labelled > split.samples) node.at("class_counts").wrong(fmt::format("a sum of at most {}", split.samples));
}

SplitEntry parse_split(const Node& node, const ShardFormat& format, std::size_t classes) {
  constexpr std::int64_t most_samples = std::int64_t{1} << 40;
  SplitEntry split{node.at("name").text(), node.at("samples").count(0, most_samples), {}, {}};
  if (split.name.empty()) node.at("name").wrong("a name");
  for (const Node& count : node.at("class_counts").list()) split.class_counts.push_back(count.count(0, most_samples));
  for (const Node& shard : node.at("shards").list()) split.shards.push_back(parse_shard(shard, format));
  check_counts(split, node, classes);
  return split;
}

Json parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    fail(fmt::format("not JSON: {}", json_fault(error)), where);
  }
}

/// Why a folder has no manifest: three situations with three fixes.
[[noreturn]] void explain_missing(const fs::path& folder) {
  if (!fs::exists(folder)) {
    throw Error("no such data set", folder.string(), "check the path, or make it with lockstep preprocess");
  }
  if (!fs::is_directory(folder))
    throw Error("not a folder", folder.string(), "name the folder that lockstep preprocess made");
  const bool unfinished = fs::exists(folder / "shards") || fs::exists(folder / image_table_name);
  if (unfinished) {
    throw Error("the packing of this data set did not finish", folder.string(),
                "run the same lockstep preprocess again: it goes on where it was");
  }
  throw Error(fmt::format("no {} in this folder", Manifest::file_name), folder.string(),
              "name a data set, the --output of lockstep preprocess; images are packed by that command first");
}

}  // namespace

std::string_view name_of(Store store) { return store == Store::raw ? "raw" : "jpeg"; }

const SplitEntry* Manifest::find_split(std::string_view name) const {
  const auto found = std::ranges::find(splits, name, &SplitEntry::name);
  return found == splits.end() ? nullptr : &*found;
}

const SplitEntry& Manifest::split(std::string_view name) const {
  if (const SplitEntry* found = find_split(name)) return *found;
  std::vector<std::string> names;
  for (const SplitEntry& split : splits) names.push_back(split.name);
  throw Error(fmt::format("the data set has no split '{}'", name), std::string(file_name),
              fmt::format("it has: {}", fmt::join(names, ", ")));
}

std::string Manifest::to_json() const {
  Json split_list = Json::array();
  for (const SplitEntry& split : splits) split_list.push_back(split_json(split));
  Json root = {{"format", "lockstep data set"},
               {"format_version", format_version},
               {"classes", classes},
               {"shape", {{"height", shape.height}, {"width", shape.width}, {"channels", shape.channels}}},
               {"store", name_of(store)},
               {"weighted", weighted},
               {"mean", mean},
               {"std", std},
               {"splits", split_list},
               {"status_counts", status_counts},
               {"findings", findings},
               {"settings", settings}};
  if (sums) root["sums"] = sums_json(*sums);
  return root.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Manifest Manifest::from_json(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where);
  const Node root(json, "", where);
  check_version(root, where);
  Manifest manifest;
  manifest.classes = parse_classes(root.at("classes"));
  manifest.shape = parse_shape(root.at("shape"));
  if (root.has("store")) manifest.store = parse_store(root.at("store"));
  if (root.has("weighted")) manifest.weighted = root.at("weighted").truth();
  manifest.mean = parse_channels(root.at("mean"), manifest.shape.channels);
  manifest.std = parse_channels(root.at("std"), manifest.shape.channels);
  if (root.has("sums")) {
    const Node sums = root.at("sums");
    manifest.sums = {sums.at("pixels").count(), parse_sums(sums.at("values"), manifest.shape.channels),
                     parse_sums(sums.at("squares"), manifest.shape.channels)};
  }
  for (const Node& node : root.at("splits").list()) {
    SplitEntry split = parse_split(node, manifest.shard_format(), manifest.classes.size());
    if (manifest.find_split(split.name) != nullptr) node.at("name").wrong("a name that no other split has");
    manifest.splits.push_back(std::move(split));
  }
  for (const auto& [status, count] : root.at("status_counts").members()) manifest.status_counts[status] = count.count();
  if (root.has("findings")) {
    for (const auto& [name, count] : root.at("findings").members()) manifest.findings[name] = count.count();
  }
  for (const auto& [name, value] : root.at("settings").members()) manifest.settings[name] = value.text();
  return manifest;
}

Manifest Manifest::load(const fs::path& folder) {
  const fs::path file = folder / file_name;
  if (!fs::exists(file)) explain_missing(folder);
  return from_json(read_file(file), file.string());
}

void Manifest::save(const fs::path& folder) const { write_file_atomically(folder / file_name, to_json()); }

std::string Manifest::digest() const {
  Digest digest;
  for (const std::string& name : classes) digest.add(name);
  digest.add(shape.height).add(shape.width).add(shape.channels);
  for (const SplitEntry& split : splits) {
    digest.add(split.name);
    for (const ShardEntry& shard : split.shards) digest.add(shard.checksum);
  }
  return digest.hex();
}

}  // namespace lockstep
