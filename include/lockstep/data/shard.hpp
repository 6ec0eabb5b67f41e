// One shard: a plain HDF5 file that h5py opens, with
//   /images   uint8 [n, height, width, channels], contiguous, uncompressed (RGB or grey); Store::raw
//   /jpeg     uint8 [bytes], whole JPEG files of that shape one after the other, and
//   /offsets  int64 [n + 1], where each begins in /jpeg and where the last one ends; Store::jpeg
//   /labels   int32 [n], −1 where unknown
//   /ids      int64 [n], unique over the data set, the row of the image in images.h5
//   /weights  float32 [n], finite, >= 0; only in data sets whose samples have weights
// and the attribute format_version (int32) of the root group. Layout version: Manifest::format_version; files of
// version 1 are raw and without weights.
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

/// All that a shard says of its samples besides their images, in their order.
struct ShardIndex {
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> ids;
  std::vector<float> weights;        ///< of formats with weights, else empty
  std::vector<std::int64_t> ends{0};  ///< Store::jpeg: offsets of the files, as /offsets; else the one 0

  void add(std::int32_t label, std::int64_t id);
};

/// Writes one shard under its partial name; finish() makes it appear. Destroyed before finish(): nothing is left
/// behind. One thread at a time. Its checksum is taken while the bytes pass, which is why the index comes first.
class ShardWriter {
 public:
  ShardWriter(const std::filesystem::path& path, const ShardIndex& index, const ShardFormat& format);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  /// The next sample's image: shape.bytes() bytes, rows of interleaved channels, or a JPEG file of the size that the
  /// index says.
  void add(std::span<const std::uint8_t> image);
  /// After the last image: flushes to disk, renames. Returns the manifest's entry, `file` being the bare file name.
  ShardEntry finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Compares the XXH64 of a whole shard with the manifest's; the Error says which shard is damaged.
void require_checksum(const std::filesystem::path& path, const std::string& found, const ShardEntry& expected);

/// Bytes of a file.
struct ByteRange {
  std::uint64_t offset = 0, bytes = 0;
  bool operator==(const ByteRange&) const = default;
};

/// A shard opened for reading: labels and ids in memory (12 bytes a sample; 8 more for offsets, 4 for weights where
/// there are some), images read by pread at a known offset. read() may be called from any number of threads at once; no
/// HDF5 call is made after the constructor, no file lock ever.
class Shard {
 public:
  /// Checks everything against the manifest's entry: file size (a shard cut short ends here), data sets, types, shapes,
  /// labels inside [-1, classes). The checksum is not read; see verify().
  Shard(const std::filesystem::path& path, const ShardEntry& expected, const ShardFormat& format, std::int64_t classes);

  std::int64_t samples() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int32_t label(std::int64_t index) const { return labels_[static_cast<std::size_t>(index)]; }
  std::int64_t id(std::int64_t index) const { return ids_[static_cast<std::size_t>(index)]; }
  /// 1 where samples have no weights.
  float weight(std::int64_t index) const;
  /// Where image `index` lies in the file, 0 <= index < samples().
  ByteRange place(std::int64_t index) const;
  const RandomAccessFile& file() const { return file_; }
  /// Fills `into` with the stored bytes of image `index` from its byte `first` on.
  void read(std::int64_t index, std::span<std::uint8_t> into, std::uint64_t first = 0) const;
  /// Reads the whole file and compares its checksum; an Error says which shard is damaged.
  static void verify(const std::filesystem::path& path, const ShardEntry& expected);

 private:
  RandomAccessFile file_;
  ShardFormat format_;
  std::uint64_t image_offset_ = 0;
  std::vector<std::int64_t> offsets_;  // [sample], one more: the end; empty for raw
  std::vector<std::int32_t> labels_;
  std::vector<std::int64_t> ids_;
  std::vector<float> weights_;  // empty: none
};

}  // namespace lockstep
