#include "lockstep/data/shard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/partial_file.hpp"
#include "lockstep/data/hdf5.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

constexpr const char* version_attribute = "format_version";
constexpr const char* damaged_hint = "copy the data set again, or pack it again with lockstep preprocess";

/// Where the three blocks of a shard lie in its file.
struct Blocks {
  std::uint64_t images = 0, labels = 0, ids = 0;
};

/// Makes the file with all its structure and room for its blocks, so that everything else is writing by position.
Blocks make_skeleton(const fs::path& path, std::int64_t samples, ImageShape shape) {
  hdf5::File file = hdf5::File::create(path);
  file.write_attribute(version_attribute, Manifest::format_version);
  Blocks blocks;
  blocks.labels = file.reserve("labels", hdf5::Element::int32, {samples});
  blocks.ids = file.reserve("ids", hdf5::Element::int64, {samples});
  blocks.images = file.reserve("images", hdf5::Element::uint8, {samples, shape.height, shape.width, shape.channels});
  file.close();
  return blocks;
}

template <typename Value>
std::span<const std::uint8_t> bytes_of(const std::vector<Value>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(Value)};
}

void check_version(const hdf5::File& file, const std::string& where) {
  const std::int32_t found = file.read_attribute(version_attribute);
  if (found != Manifest::format_version) {
    throw Error(
        fmt::format("shard of format version {}, this program reads version {}", found, Manifest::format_version),
        where, "pack the data set again with this version");
  }
}

void check_layout(const hdf5::Layout& found, const std::string& where, hdf5::Element element,
                  const std::vector<std::int64_t>& shape) {
  if (found.element != element || found.shape != shape) {
    throw Error(fmt::format("{} [{}], the manifest says {} [{}]", hdf5::name_of(found.element),
                            fmt::join(found.shape, ", "), hdf5::name_of(element), fmt::join(shape, ", ")),
                where, "shard and manifest are of different data sets: copy or pack them together again");
  }
}

std::uint64_t checked_image_offset(const hdf5::File& file, const RandomAccessFile& bytes, std::int64_t samples,
                                   ImageShape shape) {
  const std::string where = bytes.path().string() + ":/images";
  const hdf5::Layout found = file.layout("images");
  check_layout(found, where, hdf5::Element::uint8, {samples, shape.height, shape.width, shape.channels});
  const auto needed = static_cast<std::uint64_t>(samples * shape.bytes());
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

struct ShardWriter::State {
  fs::path path;
  std::int64_t samples;
  ImageShape shape;
  PartialFile file;
  Blocks blocks;
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> ids;

  // The order of the members matters: HDF5 writes its structure into the file that is there.
  State(const fs::path& final_path, std::int64_t count, ImageShape image_shape)
      : path(final_path),
        samples(count),
        shape(image_shape),
        file(final_path),
        blocks(make_skeleton(file.path(), count, image_shape)) {
    file.reserve(blocks.images + static_cast<std::uint64_t>(count * image_shape.bytes()));
  }
};

ShardWriter::ShardWriter(const fs::path& path, std::int64_t samples, ImageShape shape) {
  if (samples < 1 || shape.bytes() < 1) throw defect(fmt::format("a shard of {} samples", samples), path.string());
  state_ = std::make_unique<State>(path, samples, shape);
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::add(std::span<const std::uint8_t> image, std::int32_t label, std::int64_t id) {
  const auto index = static_cast<std::int64_t>(state_->labels.size());
  if (static_cast<std::int64_t>(image.size()) != state_->shape.bytes() || index >= state_->samples) {
    throw defect(fmt::format("sample {} of {} with {} bytes, {} expected", index, state_->samples, image.size(),
                             state_->shape.bytes()),
                 state_->path.string());
  }
  state_->file.write_at(state_->blocks.images + static_cast<std::uint64_t>(index * state_->shape.bytes()), image);
  state_->labels.push_back(label);
  state_->ids.push_back(id);
}

ShardEntry ShardWriter::finish() {
  State& state = *state_;
  if (static_cast<std::int64_t>(state.labels.size()) != state.samples) {
    throw defect(fmt::format("{} samples added, {} announced", state.labels.size(), state.samples),
                 state.path.string());
  }
  state.file.write_at(state.blocks.labels, bytes_of(state.labels));
  state.file.write_at(state.blocks.ids, bytes_of(state.ids));
  ShardEntry entry{state.path.filename().string(), state.samples, 0, file_digest(state.file.path())};
  entry.bytes = static_cast<std::int64_t>(fs::file_size(state.file.path()));
  state.file.publish();
  return entry;
}

Shard::Shard(const fs::path& path, const ShardEntry& expected, ImageShape shape, std::int64_t classes)
    : file_(path), shape_(shape) {
  check_size(file_, expected);
  const hdf5::File file = hdf5::File::open(path);
  check_version(file, path.string());
  check_layout(file.layout("labels"), path.string() + ":/labels", hdf5::Element::int32, {expected.samples});
  check_layout(file.layout("ids"), path.string() + ":/ids", hdf5::Element::int64, {expected.samples});
  image_offset_ = checked_image_offset(file, file_, expected.samples, shape);
  labels_ = file.read_int32("labels");
  ids_ = file.read_int64("ids");
  check_labels(labels_, classes, path.string());
  check_ids(ids_, path.string());
}

void Shard::read(std::int64_t index, std::span<std::uint8_t> into) const {
  if (index < 0 || index >= samples() || static_cast<std::int64_t>(into.size()) != shape_.bytes()) {
    throw defect(fmt::format("read of image {} of {} into {} bytes", index, samples(), into.size()),
                 file_.path().string());
  }
  file_.read(image_offset_ + static_cast<std::uint64_t>(index * shape_.bytes()), into);
}

void Shard::verify(const fs::path& path, const ShardEntry& expected) {
  check_size(RandomAccessFile(path), expected);
  const std::string found = file_digest(path);
  if (found != expected.checksum) {
    throw Error(fmt::format("checksum {}, the manifest says {}", found, expected.checksum), path.string(),
                std::string("the shard is damaged: ") + damaged_hint);
  }
}

}  // namespace lockstep
