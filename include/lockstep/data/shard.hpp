// One shard: a plain HDF5 file that h5py opens, with
//   /images  uint8 [n, height, width, channels], contiguous, uncompressed (RGB or grey)
//   /labels  int32 [n], −1 where unknown
//   /ids     int64 [n], unique over the data set, the row of the image in images.h5
// and the attribute format_version (int32) of the root group. Layout version: Manifest::format_version.
//
// Equal input gives equal bytes on every machine of the same HDF5 version (no time stamps, fixed alignment). The image
// block lies at one byte offset, so readers go round the HDF5 library and its global lock. Errors name file and fix.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/core/files.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// Writes one shard under its partial name; finish() makes it appear. Destroyed before finish(): nothing is left
/// behind. One thread at a time.
class ShardWriter {
 public:
  /// `samples`: how many will be added, exactly.
  ShardWriter(const std::filesystem::path& path, std::int64_t samples, ImageShape shape);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  /// The next sample. `image`: shape.bytes() bytes, rows of interleaved channels.
  void add(std::span<const std::uint8_t> image, std::int32_t label, std::int64_t id);
  /// Writes labels and ids, flushes to disk, renames. Returns the manifest's entry, `file` being the bare file name.
  ShardEntry finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A shard opened for reading: labels and ids in memory (12 bytes a sample), images read by pread at a known offset.
/// read() may be called from any number of threads at once; no HDF5 call is made after the constructor, no file lock
/// ever.
class Shard {
 public:
  /// Checks everything against the manifest's entry: file size (a shard cut short ends here), data sets, types, shapes,
  /// labels inside [-1, classes). The checksum is not read; see verify().
  Shard(const std::filesystem::path& path, const ShardEntry& expected, ImageShape shape, std::int64_t classes);

  std::int64_t samples() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int32_t label(std::int64_t index) const { return labels_[static_cast<std::size_t>(index)]; }
  std::int64_t id(std::int64_t index) const { return ids_[static_cast<std::size_t>(index)]; }
  /// Fills `into` (shape.bytes() bytes) with image `index`, 0 <= index < samples().
  void read(std::int64_t index, std::span<std::uint8_t> into) const;
  /// Reads the whole file and compares its checksum; an Error says which shard is damaged.
  static void verify(const std::filesystem::path& path, const ShardEntry& expected);

 private:
  RandomAccessFile file_;
  ImageShape shape_;
  std::uint64_t image_offset_ = 0;
  std::vector<std::int32_t> labels_;
  std::vector<std::int64_t> ids_;
};

}  // namespace lockstep
