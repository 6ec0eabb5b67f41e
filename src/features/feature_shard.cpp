#include "lockstep/features/feature_shard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/hdf5.hpp"
#include "lockstep/core/machine.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

constexpr const char* damaged_hint = "remove the file: the next run computes it anew";

/// As they lie in the file: samples first, channels last.
std::vector<std::int64_t> stored_sizes(std::int64_t samples, const FeatureShape& shape) {
  std::vector<std::int64_t> sizes{samples};
  sizes.insert(sizes.end(), shape.sizes.begin() + 1, shape.sizes.end());
  sizes.push_back(shape.sizes.front());
  return sizes;
}

/// A name that no other process takes: the same features may be in the making elsewhere.
fs::path own_name(const fs::path& path) {
  return path.parent_path() / fmt::format("{}.{}-{}", path.filename().string(), host_name(), ::getpid());
}

std::int64_t checksum(std::span<const float> features) {
  Digest digest;
  digest.add(std::span(reinterpret_cast<const std::uint8_t*>(features.data()), features.size_bytes()));
  return static_cast<std::int64_t>(digest.value());
}

}  // namespace

std::int64_t FeatureShape::elements() const {
  std::int64_t elements = 1;
  for (const std::int64_t size : sizes) elements *= size;
  return elements;
}

FeatureShardWriter::FeatureShardWriter(const fs::path& path, std::int64_t samples, const FeatureShape& shape)
    : path_(path),
      bytes_(shape.bytes()),
      file_(own_name(path)),
      checksums_(static_cast<std::size_t>(samples)) {
  hdf5::File structure = hdf5::File::create(file_.path(), path.string());
  features_at_ = structure.reserve("features", hdf5::Element::float32, stored_sizes(samples, shape));
  checksums_at_ = structure.reserve("checksums", hdf5::Element::int64, {samples});
  structure.close();
  file_.reserve(features_at_ + static_cast<std::uint64_t>(samples * bytes_));
}

void FeatureShardWriter::write(std::int64_t first, std::span<const float> features) {
  const auto sample = static_cast<std::size_t>(bytes_) / sizeof(float);
  file_.write_at(features_at_ + static_cast<std::uint64_t>(first * bytes_),
                 {reinterpret_cast<const std::uint8_t*>(features.data()), features.size_bytes()});
  for (std::size_t i = 0; i * sample < features.size(); ++i)
    checksums_[static_cast<std::size_t>(first) + i] = checksum(features.subspan(i * sample, sample));
}

void FeatureShardWriter::finish() {
  file_.write_at(checksums_at_, {reinterpret_cast<const std::uint8_t*>(checksums_.data()), checksums_.size() * 8});
  file_.publish();
  fs::rename(own_name(path_), path_);
}

FeatureShard::FeatureShard(const fs::path& path, std::int64_t samples, const FeatureShape& shape)
    : file_(path), checked_(std::make_unique<std::atomic<bool>[]>(static_cast<std::size_t>(samples))) {
  const hdf5::File structure = hdf5::File::open(path);
  const hdf5::Layout found = structure.layout("features");
  const std::vector<std::int64_t> expected = stored_sizes(samples, shape);
  checksums_ = structure.read_int64("checksums");
  const auto bytes = static_cast<std::uint64_t>(samples * shape.bytes());
  const bool fits = found.element == hdf5::Element::float32 && found.shape == expected && found.offset &&
                    *found.offset <= file_.size() && file_.size() - *found.offset >= bytes &&
                    std::ssize(checksums_) == samples;
  if (!fits) {
    throw Error(fmt::format("features of shape [{}], float32 [{}] expected", fmt::join(found.shape, ", "),
                            fmt::join(expected, ", ")),
                path.string(), damaged_hint);
  }
  features_at_ = *found.offset;
}

void FeatureShard::read(std::int64_t index, std::span<float> into) const {
  const auto at = static_cast<std::size_t>(index);
  file_.read(features_at_ + at * into.size_bytes(), {reinterpret_cast<std::uint8_t*>(into.data()), into.size_bytes()});
  if (checked_[at].load(std::memory_order_relaxed)) return;
  if (checksum(into) != checksums_[at])
    throw Error(fmt::format("the checksum of sample {} is wrong", index), file_.path().string(), damaged_hint);
  checked_[at].store(true, std::memory_order_relaxed);
}

}  // namespace lockstep
