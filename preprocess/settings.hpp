// What a packing will do: the options of the command preprocess, typed and checked against each other.
//
// Errors are usage errors that name the option. A value; thread-safe to read.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lockstep/config/options.hpp"
#include "lockstep/core/csv_columns.hpp"
#include "preprocess/decode.hpp"
#include "preprocess/findings.hpp"
#include "preprocess/resize.hpp"
#include "preprocess/split.hpp"

namespace lockstep::preprocess {

/// Which of the folders above an image is its class; see class_folders.hpp.
enum class ClassDepth { first, deepest };
/// How images lie in shards; automatic: chosen by store_choice.hpp.
enum class StoreWish { raw, jpeg, automatic };
enum class SourceKind { class_folders, csv, images, idx, cifar10, cifar100, generated };

struct PackSettings {
  SourceKind source = SourceKind::class_folders;
  std::filesystem::path input;          ///< a folder, for CSV also a file; empty for generated pictures
  std::filesystem::path images_folder;  ///< of CSV files; empty: the usual places
  std::filesystem::path class_names;    ///< file with readable names; empty: none
  ColumnWishes columns;                 ///< of CSV files
  std::string split;                    ///< of unlabelled images, all of them; empty: images are labelled
  std::filesystem::path output;
  /// Side of the stored images. 0: the source's own size, which IDX and CIFAR files have and which is their default.
  int side = 0;
  Fit fit = Fit::crop;
  int channels = 3;
  StoreWish store = StoreWish::raw;
  int quality = 90;  ///< of JPEG files that are written
  std::int64_t most_pixels = usual_most_pixels;
  SplitShares shares;
  std::map<std::string, std::string> folder_as;  ///< of class folders: given folder → split
  ClassDepth class_depth = ClassDepth::first;    ///< of class folders
  std::uint64_t seed = 0;
  std::int64_t shard_bytes = 0;  ///< raw image bytes of a shard, at most
  std::int64_t threads = 0;      ///< decoding threads per rank; 0: this rank's share of the cores
  bool strict = false;
  bool drop_duplicates = false;
  std::vector<Finding> fail_on;          ///< what the data set must not have
  bool add = false;                      ///< to the data set that is there
  std::int64_t images = 0, classes = 0;  ///< of generated pictures

  static PackSettings from(const Options& options);
  /// What decides about the data set's content, as the manifest keeps it. Paths are as the user gave them.
  std::map<std::string, std::string> summary() const;
};

}  // namespace lockstep::preprocess
