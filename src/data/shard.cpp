#include "lockstep/data/shard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/hdf5.hpp"
#include "lockstep/core/partial_file.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

constexpr const char* version_attribute = "format_version";
constexpr const char* damaged_hint = "copy the data set again, or pack it again with lockstep preprocess";

/// Where the three blocks of a shard lie in its file.
struct Blocks {
  std::uint64_t labels = 0, ids = 0, weights = 0, offsets = 0, images = 0;
  std::uint64_t image_bytes = 0;

  std::uint64_t images_end() const { return images + image_bytes; }
};

/// Makes the file with all its structure and room for its blocks, so that everything else is writing by position.
Blocks make_skeleton(const fs::path& path, std::int64_t samples, const ShardFormat& format, std::int64_t jpeg_bytes) {
  hdf5::File file = hdf5::File::create(path);
  file.write_attribute(version_attribute, Manifest::format_version);
  Blocks blocks;
  blocks.labels = file.reserve("labels", hdf5::Element::int32, {samples});
  blocks.ids = file.reserve("ids", hdf5::Element::int64, {samples});
  if (format.weighted) blocks.weights = file.reserve("weights", hdf5::Element::float32, {samples});
  if (format.store == Store::jpeg) {
    blocks.offsets = file.reserve("offsets", hdf5::Element::int64, {samples + 1});
    blocks.images = file.reserve("jpeg", hdf5::Element::uint8, {jpeg_bytes});
    blocks.image_bytes = static_cast<std::uint64_t>(jpeg_bytes);
  } else {
    const ImageShape shape = format.shape;
    blocks.images = file.reserve("images", hdf5::Element::uint8, {samples, shape.height, shape.width, shape.channels});
    blocks.image_bytes = static_cast<std::uint64_t>(samples * shape.bytes());
  }
  file.close();
  return blocks;
}

template <typename Value>
std::span<const std::uint8_t> bytes_of(const std::vector<Value>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(Value)};
}

/// What lies between two places of a file, added to its digest.
void add_part(Digest& digest, const fs::path& path, std::uint64_t begin, std::uint64_t end) {
  std::vector<std::uint8_t> bytes(end - begin);
  RandomAccessFile(path).read(begin, bytes);
  digest.add(std::span<const std::uint8_t>(bytes));
}

std::vector<std::int64_t> even_ends(std::int64_t samples, std::int64_t image_bytes) {
  std::vector<std::int64_t> ends{0};
  for (std::int64_t i = 0; i < samples; ++i) ends.push_back(ends.back() + image_bytes);
  return ends;
}

void check_index(const ShardIndex& index, const ShardFormat& format, const std::string& where) {
  const std::size_t samples = index.labels.size();
  const bool jpeg = format.store == Store::jpeg;
  const bool fits = index.ids.size() == samples && index.weights.size() == (format.weighted ? samples : 0) &&
                    index.ends.size() == (jpeg ? samples + 1 : 1) && index.ends.front() == 0 &&
                    std::ranges::adjacent_find(index.ends, std::greater_equal<>()) == index.ends.end();
  if (samples > 0 && fits && format.shape.bytes() > 0) return;
  throw defect(fmt::format("a shard of {} labels, {} ids, {} weights, {} offsets", samples, index.ids.size(),
                           index.weights.size(), index.ends.size()),
               where);
}

void check_version(const hdf5::File& file, const std::string& where) {
  const std::int32_t found = file.read_attribute(version_attribute);
  if (found >= Manifest::oldest_readable_version && found <= Manifest::format_version) return;
  throw Error(fmt::format("shard of format version {}, this program reads {} to {}", found,
                          Manifest::oldest_readable_version, Manifest::format_version),
              where, "pack the data set again with this version");
}

void check_layout(const hdf5::Layout& found, const std::string& where, hdf5::Element element,
                  const std::vector<std::int64_t>& shape) {
  if (found.element != element || found.shape != shape) {
    throw Error(fmt::format("{} [{}], the manifest says {} [{}]", hdf5::name_of(found.element),
                            fmt::join(found.shape, ", "), hdf5::name_of(element), fmt::join(shape, ", ")),
                where, "shard and manifest are of different data sets: copy or pack them together again");
  }
}

/// Where the block `name` begins; it must be contiguous and lie inside the file.
std::uint64_t checked_offset(const hdf5::File& file, const RandomAccessFile& bytes, const std::string& name,
                             const std::vector<std::int64_t>& shape) {
  const std::string where = bytes.path().string() + ":/" + name;
  if (!file.has(name)) {
    throw Error("no /" + name + " in this shard", bytes.path().string(),
                "shard and manifest are of different data sets: copy or pack them together again");
  }
  const hdf5::Layout found = file.layout(name);
  check_layout(found, where, hdf5::Element::uint8, shape);
  std::uint64_t needed = 1;
  for (const std::int64_t size : shape) needed *= static_cast<std::uint64_t>(size);
  if (!found.offset) {
    throw Error("chunked or compressed images", where,
                "store them contiguous: pack the data set with lockstep preprocess");
  }
  if (*found.offset > bytes.size() || bytes.size() - *found.offset < needed) {
    throw Error(
        fmt::format("images from byte {} on need {} bytes, the file has {}", *found.offset, needed, bytes.size()),
        where, damaged_hint);
  }
  return *found.offset;
}

/// Where the JPEG files begin and end: ascending, none empty, none absurdly large.
std::vector<std::int64_t> checked_jpeg_offsets(const hdf5::File& file, std::int64_t samples, const std::string& where) {
  constexpr std::int64_t largest_jpeg = std::int64_t{1} << 30;
  check_layout(file.layout("offsets"), where, hdf5::Element::int64, {samples + 1});
  std::vector<std::int64_t> offsets = file.read_int64("offsets");
  if (offsets.front() != 0)
    throw Error(fmt::format("the first JPEG begins at {}", offsets.front()), where, damaged_hint);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    // Checked one after the other from 0 on, so the difference cannot overflow.
    if (offsets[i + 1] > offsets[i] && offsets[i + 1] - offsets[i] <= largest_jpeg) continue;
    throw Error(fmt::format("JPEG {} from byte {} to {}", i, offsets[i], offsets[i + 1]), where, damaged_hint);
  }
  return offsets;
}

void check_weights(const std::vector<float>& weights, const std::string& where) {
  const auto wrong = std::ranges::find_if(weights, [](float weight) { return !(weight >= 0) || std::isinf(weight); });
  if (wrong == weights.end()) return;
  throw Error(
      fmt::format("weight {} of sample {}, a finite number of at least 0 expected", *wrong, wrong - weights.begin()),
      where + ":/weights", damaged_hint);
}

void check_labels(const std::vector<std::int32_t>& labels, std::int64_t classes, const std::string& where) {
  const auto wrong = std::ranges::find_if(labels, [&](std::int32_t label) { return label < -1 || label >= classes; });
  if (wrong == labels.end()) return;
  throw Error(fmt::format("label {} of sample {}, −1 to {} expected", *wrong, wrong - labels.begin(), classes - 1),
              where + ":/labels", damaged_hint);
}

void check_ids(const std::vector<std::int64_t>& ids, const std::string& where) {
  const auto wrong = std::ranges::find_if(ids, [](std::int64_t id) { return id < 0; });
  if (wrong == ids.end()) return;
  throw Error(fmt::format("id {} of sample {}, a row number expected", *wrong, wrong - ids.begin()), where + ":/ids",
              damaged_hint);
}

void check_size(const RandomAccessFile& file, const ShardEntry& expected) {
  if (file.size() == static_cast<std::uint64_t>(expected.bytes)) return;
  throw Error(fmt::format("shard of {} bytes, the manifest says {}", file.size(), expected.bytes), file.path().string(),
              file.size() < static_cast<std::uint64_t>(expected.bytes)
                  ? "the file was cut short: copy it again, or pack the data set again"
                  : "shard and manifest are of different data sets: copy or pack them together again");
}

}  // namespace

void ShardIndex::add(std::int32_t label, std::int64_t id) {
  labels.push_back(label);
  ids.push_back(id);
}

struct ShardWriter::State {
  fs::path path;
  std::int64_t samples, added = 0;
  std::vector<std::int64_t> ends;  // [sample + 1], of the images one after the other
  PartialFile file;
  Blocks blocks;
  Digest digest;  // of the file up to the next image

  // The order of the members matters: HDF5 writes its structure into the file that is there.
  State(const fs::path& final_path, const ShardIndex& index, const ShardFormat& format)
      : path(final_path),
        samples(std::ssize(index.labels)),
        ends(format.store == Store::jpeg ? index.ends : even_ends(samples, format.shape.bytes())),
        file(final_path),
        blocks(make_skeleton(file.path(), samples, format, ends.back())) {
    file.reserve(blocks.images_end());
    file.write_at(blocks.labels, bytes_of(index.labels));
    file.write_at(blocks.ids, bytes_of(index.ids));
    if (format.weighted) file.write_at(blocks.weights, bytes_of(index.weights));
    if (format.store == Store::jpeg) file.write_at(blocks.offsets, bytes_of(ends));
    add_part(digest, file.path(), 0, blocks.images);
  }
};

ShardWriter::ShardWriter(const fs::path& path, const ShardIndex& index, const ShardFormat& format) {
  check_index(index, format, path.string());
  state_ = std::make_unique<State>(path, index, format);
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::add(std::span<const std::uint8_t> image) {
  State& state = *state_;
  const auto at = static_cast<std::size_t>(state.added);
  if (state.added == state.samples || std::ssize(image) != state.ends[at + 1] - state.ends[at]) {
    throw defect(fmt::format("sample {} of {} with {} bytes", state.added, state.samples, image.size()),
                 state.path.string());
  }
  state.file.write_at(state.blocks.images + static_cast<std::uint64_t>(state.ends[at]), image);
  state.digest.add(image);
  ++state.added;
}

ShardEntry ShardWriter::finish() {
  State& state = *state_;
  if (state.added != state.samples)
    throw defect(fmt::format("{} samples added, {} announced", state.added, state.samples), state.path.string());
  const std::uint64_t bytes = fs::file_size(state.file.path());
  add_part(state.digest, state.file.path(), state.blocks.images_end(), bytes);
  state.file.publish();
  return {state.path.filename().string(), state.samples, static_cast<std::int64_t>(bytes), state.digest.hex()};
}

Shard::Shard(const fs::path& path, const ShardEntry& expected, const ShardFormat& format, std::int64_t classes)
    : file_(path), format_(format) {
  check_size(file_, expected);
  const hdf5::File file = hdf5::File::open(path);
  check_version(file, path.string());
  check_layout(file.layout("labels"), path.string() + ":/labels", hdf5::Element::int32, {expected.samples});
  check_layout(file.layout("ids"), path.string() + ":/ids", hdf5::Element::int64, {expected.samples});
  labels_ = file.read_int32("labels");
  ids_ = file.read_int64("ids");
  check_labels(labels_, classes, path.string());
  check_ids(ids_, path.string());
  if (format.weighted) {
    check_layout(file.layout("weights"), path.string() + ":/weights", hdf5::Element::float32, {expected.samples});
    weights_ = file.read_float32("weights");
    check_weights(weights_, path.string());
  }
  if (format.store == Store::jpeg) {
    offsets_ = checked_jpeg_offsets(file, expected.samples, path.string() + ":/offsets");
    image_offset_ = checked_offset(file, file_, "jpeg", {offsets_.back()});
  } else {
    const ImageShape shape = format.shape;
    image_offset_ = checked_offset(file, file_, "images", {samples(), shape.height, shape.width, shape.channels});
  }
}

float Shard::weight(std::int64_t index) const {
  return weights_.empty() ? 1.0f : weights_[static_cast<std::size_t>(index)];
}

ByteRange Shard::place(std::int64_t index) const {
  if (index < 0 || index >= samples())
    throw defect(fmt::format("image {} of {}", index, samples()), file_.path().string());
  const auto at = static_cast<std::size_t>(index);
  if (format_.store == Store::raw) {
    const auto bytes = static_cast<std::uint64_t>(format_.shape.bytes());
    return {image_offset_ + at * bytes, bytes};
  }
  return {image_offset_ + static_cast<std::uint64_t>(offsets_[at]),
          static_cast<std::uint64_t>(offsets_[at + 1] - offsets_[at])};
}

void Shard::read(std::int64_t index, std::span<std::uint8_t> into, std::uint64_t first) const {
  const ByteRange all = place(index);
  if (first > all.bytes || into.size() > all.bytes - first) {
    throw defect(fmt::format("{} bytes from {} on of image {}, which has {}", into.size(), first, index, all.bytes),
                 file_.path().string());
  }
  file_.read(all.offset + first, into);
}

void Shard::verify(const fs::path& path, const ShardEntry& expected) {
  check_size(RandomAccessFile(path), expected);
  require_checksum(path, file_digest(path), expected);
}

void require_checksum(const fs::path& path, const std::string& found, const ShardEntry& expected) {
  if (found == expected.checksum) return;
  throw Error(fmt::format("checksum {}, the manifest says {}", found, expected.checksum), path.string(),
              std::string("the shard is damaged: ") + damaged_hint);
}

}  // namespace lockstep
