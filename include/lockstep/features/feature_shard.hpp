// Features of a run of samples in one file: what a frozen part of a network made of their images.
//
// Plain HDF5 that h5py opens: /features float32 [n, height, width, channels], or [n, channels] where they have no
// extent, contiguous and uncompressed; /checksums int64 [n], the XXH64's 64 bits of each sample's bytes. Written under
// a name of its own and renamed once it is whole, so that two runs that make the same file do not meet. Read by pread,
// by any number of threads; each sample's checksum is compared when it is read for the first time. Errors name the
// file. Memory: 9 bytes a sample while open.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/core/files.hpp"
#include "lockstep/core/partial_file.hpp"

namespace lockstep {

/// Of one sample: [channels, height, width] or [channels]. In memory and in files the channels lie innermost.
struct FeatureShape {
  std::vector<std::int64_t> sizes;

  std::int64_t elements() const;
  std::int64_t bytes() const { return elements() * 4; }
  bool operator==(const FeatureShape&) const = default;
};

class FeatureShardWriter {
 public:
  FeatureShardWriter(const std::filesystem::path& path, std::int64_t samples, const FeatureShape& shape);

  /// Samples from `first` on, one after the other. Any thread; each sample once.
  void write(std::int64_t first, std::span<const float> features);
  /// Makes the file appear, after all samples.
  void finish();

 private:
  std::filesystem::path path_;
  std::int64_t bytes_;  // of a sample
  PartialFile file_;
  std::uint64_t features_at_ = 0, checksums_at_ = 0;
  std::vector<std::int64_t> checksums_;  // [sample]
};

class FeatureShard {
 public:
  /// Errors: missing, cut short, of another shape.
  FeatureShard(const std::filesystem::path& path, std::int64_t samples, const FeatureShape& shape);

  /// Fills `into` with one sample's features. Errors: those of reading, a wrong checksum.
  void read(std::int64_t index, std::span<float> into) const;

 private:
  RandomAccessFile file_;
  std::uint64_t features_at_ = 0;
  std::vector<std::int64_t> checksums_;
  std::unique_ptr<std::atomic<bool>[]> checked_;  // [sample]
};

}  // namespace lockstep
