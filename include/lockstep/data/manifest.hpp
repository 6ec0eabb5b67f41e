// manifest.json: what a data set holds, small enough (< 1 MB for any number of images) for rank 0 to read and
// broadcast.
//
// A data set is a folder: manifest.json (written last, so its presence says the set is whole), images.h5
// (image_table.hpp) and shards/<split>-NNNNN.h5 (shard.hpp). This header is the only place that knows the JSON's
// layout. A value.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct ImageShape {
  std::int64_t height = 0, width = 0, channels = 0;  ///< pixels, pixels, 1 (grey) or 3 (RGB)
  std::int64_t bytes() const { return height * width * channels; }
  bool operator==(const ImageShape&) const = default;
};

/// How the images of a data set lie in its shards: as pixels, or each as a JPEG file of that shape.
enum class Store { raw, jpeg };
std::string_view name_of(Store store);

/// What all shards of a data set have in common.
struct ShardFormat {
  ImageShape shape;
  Store store = Store::raw;
  bool weighted = false;  ///< every sample has a weight for sampling
  bool operator==(const ShardFormat&) const = default;
};

struct ShardEntry {
  std::string file;  ///< relative to the data set's folder
  std::int64_t samples = 0;
  std::int64_t bytes = 0;  ///< size of the whole file
  std::string checksum;    ///< XXH64 of the whole file, 16 hexadecimal digits
};

struct SplitEntry {
  std::string name;  ///< "train", "validation", "test", or another given folder's
  std::int64_t samples = 0;
  std::vector<std::int64_t> class_counts;  ///< [class]; unlabelled samples are in none
  std::vector<ShardEntry> shards;          ///< in sample order
};

/// Sums over the pixels of each channel, in integers, so that those of later images can be added exactly.
struct PixelSums {
  std::int64_t pixels = 0;
  std::vector<std::int64_t> values, squares;  ///< [channel]
  bool operator==(const PixelSums&) const = default;
};

struct Manifest {
  static constexpr int format_version = 2;           ///< what is written
  static constexpr int oldest_readable_version = 1;  ///< without store and weighted: raw and false
  static constexpr std::string_view file_name = "manifest.json";

  std::vector<std::string> classes;  ///< [label]; none: unlabelled images only
  ImageShape shape;
  Store store = Store::raw;
  bool weighted = false;
  /// [channel], of the training split's pixels on the scale 0 … 255; of all pixels where there are no classes.
  std::vector<double> mean, std;
  std::optional<PixelSums> sums;  ///< what mean and std were made of; sets of older versions are without
  std::vector<SplitEntry> splits;
  std::map<std::string, std::int64_t> status_counts;  ///< images by status ("ok", "refused", "duplicate")
  std::map<std::string, std::int64_t> findings;       ///< of the audit at packing, by name; empty in older manifests
  std::map<std::string, std::string> settings;        ///< how it was packed (source, resize, seed …), for the reader

  ShardFormat shard_format() const { return {shape, store, weighted}; }
  /// nullptr if there is no such split.
  const SplitEntry* find_split(std::string_view name) const;
  /// An Error that lists the splits there are, if `name` is not one of them.
  const SplitEntry& split(std::string_view name) const;

  std::string to_json() const;
  /// `where` is named in errors: not JSON, another format version (both are said), missing or wrong fields, labels and
  /// counts that contradict each other, shard names that leave the folder.
  static Manifest from_json(std::string_view text, const std::string& where);

  /// Reads <folder>/manifest.json. Errors: no such folder; a folder without a manifest (an unfinished packing is told
  /// apart); all of from_json.
  static Manifest load(const std::filesystem::path& folder);
  /// Writes <folder>/manifest.json atomically.
  void save(const std::filesystem::path& folder) const;
  /// Digest of classes, shape and shards' checksums: equal on all ranks, kept by runs to recognise their data set.
  std::string digest() const;
};

}  // namespace lockstep
