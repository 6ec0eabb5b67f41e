#include "preprocess/idx.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "lockstep/core/error.hpp"
#include "preprocess/decode.hpp"
#include "preprocess/fingerprint.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

constexpr const char* repair_hint = "the file is damaged or not what its name says: download it again";

/// A file read through zlib, which passes plain files on unchanged.
class InflatedFile {
 public:
  explicit InflatedFile(const fs::path& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (!file_) throw system_error("cannot open", path.string(), errno);
  }

  /// Up to `bytes` bytes; fewer only at the end of the file. A damaged or cut gzip stream is an Error.
  std::vector<std::uint8_t> read(std::size_t bytes) {
    constexpr std::size_t step = std::size_t{1} << 24;  // grows with what is really there, whatever a header claims
    std::vector<std::uint8_t> content;
    while (content.size() < bytes) {
      const std::size_t had = content.size();
      content.resize(std::min(bytes, had + step));
      const int got = gzread(file_.get(), content.data() + had, static_cast<unsigned>(content.size() - had));
      check();
      if (got <= 0) {
        content.resize(had);
        break;
      }
      content.resize(had + static_cast<std::size_t>(got));
    }
    return content;
  }

 private:
  void check() const {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) throw Error("the gzip file is cut short", path_.string(), repair_hint);
    if (code != Z_OK && code != Z_STREAM_END) throw Error(fmt::format("gzip: {}", text), path_.string(), repair_hint);
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  fs::path path_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

std::int64_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
  return value;
}

void check_magic(const std::vector<std::uint8_t>& header, std::size_t axes, const std::string& where) {
  constexpr std::int64_t unsigned_bytes = 0x800;
  const std::int64_t found = header.size() < 4 ? 0 : big_endian(header, 0);
  const std::int64_t expected = unsigned_bytes + static_cast<std::int64_t>(axes);
  if (found == expected) return;
  throw Error(fmt::format("magic number 0x{:08x}, 0x{:08x} (unsigned bytes, {} axes) expected", found, expected, axes),
              where, repair_hint);
}

/// Product of the sizes; an Error where it is none that a file could have.
std::int64_t checked_volume(const std::vector<std::int64_t>& shape, const std::string& where) {
  constexpr std::int64_t largest = std::int64_t{1} << 40;
  std::int64_t volume = 1;
  for (const std::int64_t size : shape) {
    if (size < 1 || size > largest / volume) {
      throw Error(fmt::format("an axis of {} elements", size), where, repair_hint);
    }
    volume *= size;
  }
  return volume;
}

/// The file of that name in any of its spellings; none if there is none.
std::optional<fs::path> find_file(const fs::path& folder, const std::string& stem, const std::string& kind) {
  for (const char* dot : {"-", "."}) {
    for (const char* suffix : {"", ".gz"}) {
      const fs::path file = folder / (stem + dot + kind + suffix);
      if (fs::exists(file)) return file;
    }
  }
  return std::nullopt;
}

}  // namespace

IdxArray read_idx(const fs::path& path, std::size_t axes) {
  InflatedFile file(path);
  const std::string where = path.string();
  const std::size_t header_bytes = 4 + 4 * axes;
  const std::vector<std::uint8_t> header = file.read(header_bytes);
  check_magic(header, axes, where);
  if (header.size() < header_bytes) throw Error("the file ends inside its header", where, repair_hint);
  IdxArray array;
  for (std::size_t axis = 0; axis < axes; ++axis) array.shape.push_back(big_endian(header, 4 + 4 * axis));
  const auto volume = static_cast<std::size_t>(checked_volume(array.shape, where));
  array.values = file.read(volume);
  if (array.values.size() < volume) {
    throw Error(fmt::format("cut short: {} elements, its header says {}", array.values.size(), volume), where,
                repair_hint);
  }
  if (!file.read(1).empty())
    throw Error(fmt::format("more than the {} elements its header says", volume), where, repair_hint);
  return array;
}

IdxSource::IdxSource(const fs::path& folder, std::int64_t most_pixels) : most_pixels_(most_pixels) {
  if (!fs::is_directory(folder)) throw Error("no such folder", folder.string(), "check --input");
  add_part(folder, "train", "train", true);
  add_part(folder, "t10k", "test", false);
  const auto size_of = [](const Part& part) { return std::array{part.images.shape[1], part.images.shape[2]}; };
  for (const Part& part : parts_) {
    if (size_of(part) == size_of(parts_[0])) continue;
    throw Error(fmt::format("images of {} × {} and of {} × {} pixels", size_of(parts_[0])[1], size_of(parts_[0])[0],
                            size_of(part)[1], size_of(part)[0]),
                folder.string(), "training and test files belong to different sets: download them again");
  }
}

void IdxSource::add_part(const fs::path& folder, const std::string& name, const std::string& split, bool required) {
  const auto images = find_file(folder, name + "-images", "idx3-ubyte");
  const auto labels = find_file(folder, name + "-labels", "idx1-ubyte");
  if (!images && !labels && !required) return;
  if (!images || !labels) {
    throw Error(fmt::format("no {}-{}", name, images ? "labels-idx1-ubyte[.gz]" : "images-idx3-ubyte[.gz]"),
                folder.string(), "name the folder that holds MNIST's files under their own names");
  }
  Part part{name, split, *images, read_idx(*images, 3), read_idx(*labels, 1).values};
  if (part.images.shape[0] != static_cast<std::int64_t>(part.labels.size())) {
    throw Error(fmt::format("{} images, but {} labels", part.images.shape[0], part.labels.size()),
                images->string() + ", " + labels->filename().string(), "the two files belong to different sets");
  }
  try {
    check_pixels(part.images.shape[2], part.images.shape[1], most_pixels_);
  } catch (const Refusal& refusal) {  // all images are of that size
    throw Error(refusal.what(), images->string(), "raise --max-pixels if they are meant to be that large");
  }
  parts_.push_back(std::move(part));
}

Listing IdxSource::list() {
  Listing listing;
  listing.height = parts_[0].images.shape[1];
  listing.width = parts_[0].images.shape[2];
  int largest = 0;
  for (const Part& part : parts_) {
    for (std::size_t i = 0; i < part.labels.size(); ++i) {
      largest = std::max<int>(largest, part.labels[i]);
      listing.candidates.push_back({fmt::format("{}:{}", part.name, i), part.split, "", part.labels[i]});
    }
  }
  for (int label = 0; label <= largest; ++label) listing.classes.push_back(std::to_string(label));
  return listing;
}

const IdxSource::Part& IdxSource::part_of(std::int64_t& id) const {
  const Part* part = parts_.data();
  for (; id >= std::ssize(part->labels); ++part) id -= std::ssize(part->labels);
  return *part;
}

fs::path IdxSource::file_of(std::int64_t id, const Candidate&) const { return part_of(id).file; }

std::span<const std::uint8_t> IdxSource::pixels_of(std::int64_t id) const {
  const Part& part = part_of(id);
  const auto bytes = static_cast<std::size_t>(part.images.shape[1] * part.images.shape[2]);
  return std::span(part.images.values).subspan(static_cast<std::size_t>(id) * bytes, bytes);
}

SourceBytes IdxSource::bytes_of(std::int64_t id, const Candidate&, BytesWanted) const {
  return source_bytes(pixels_of(id));
}

Picture IdxSource::picture(std::int64_t id, const Candidate&, const PictureRequest& request) const {
  const std::vector<std::int64_t>& shape = parts_[0].images.shape;  // the same in all
  const auto height = static_cast<int>(shape[1]), width = static_cast<int>(shape[2]);
  const std::span<const std::uint8_t> pixels = pixels_of(id);
  const cv::Mat grey(height, width, CV_8UC1, const_cast<std::uint8_t*>(pixels.data()));
  Picture picture{grey, width, height, source_bytes(pixels)};
  if (request.channels == 3) cv::cvtColor(grey, picture.pixels, cv::COLOR_GRAY2RGB);
  return picture;
}

}  // namespace lockstep::preprocess
