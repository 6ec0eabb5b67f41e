#include "preprocess/cifar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>
#include <set>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"
#include "preprocess/fingerprint.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;

namespace {

constexpr int side = 32;
constexpr std::int64_t plane_bytes = side * side, pixel_bytes = 3 * plane_bytes;
constexpr const char* repair_hint = "the file is damaged: fetch and unpack the binary version again";

CifarFormat format_of(CifarKind kind) {
  if (kind == CifarKind::cifar100) {
    return {"cifar-100-binary",
            "cifar-100-python",
            "cifar-100-binary.tar.gz",
            "fine_label_names.txt",
            {"train.bin"},
            "test.bin",
            {20, 100},
            50000,
            10000};
  }
  CifarFormat ten{"cifar-10-batches-bin",
                  "cifar-10-batches-py",
                  "cifar-10-binary.tar.gz",
                  "batches.meta.txt",
                  {},
                  "test_batch.bin",
                  {10},
                  10000,
                  10000};
  for (int number = 1; number <= 5; ++number) ten.training.push_back(fmt::format("data_batch_{}.bin", number));
  return ten;
}

/// The folder that holds the files: the input itself, or the one that unpacking made in it.
fs::path find_folder(const fs::path& input, const CifarFormat& format) {
  if (!fs::is_directory(input)) throw Error("no such folder", input.string(), "check --input");
  return fs::is_directory(input / format.folder) ? input / format.folder : input;
}

std::string hint_for(const fs::path& input, const CifarFormat& format) {
  if (fs::exists(input / format.archive)) return fmt::format("unpack {} there first", format.archive);
  if (fs::exists(input / format.python_folder) || fs::exists(input / "data_batch_1"))
    return "this is the Python version of the set: fetch the binary version (launch/fetch_datasets.sh)";
  return fmt::format("name the folder {} that unpacking {} makes (launch/fetch_datasets.sh fetches it)", format.folder,
                     format.archive);
}

void check_files(const fs::path& input, const fs::path& folder, const CifarFormat& format) {
  std::vector<std::string> files = format.training, missing;
  files.push_back(format.test);
  for (const std::string& name : files) {
    if (!fs::exists(folder / name)) missing.push_back(name);
  }
  if (missing.empty()) return;
  throw Error(fmt::format("missing: {}", first_of(missing, 6)), folder.string(), hint_for(input, format));
}

std::string stem_of(const std::string& name) { return fs::path(name).stem().string(); }

}  // namespace

CifarSource::CifarSource(const fs::path& input, CifarKind kind, bool strict)
    : format_(format_of(kind)), strict_(strict), folder_(find_folder(input, format_)) {
  check_files(input, folder_, format_);
  for (const std::string& name : format_.training) open(name, "train");
  open(format_.test, "test");
}

void CifarSource::open(const std::string& name, const std::string& split) {
  RandomAccessFile file(folder_ / name);
  const std::int64_t record = format_.label_bytes() + pixel_bytes;
  const auto bytes = static_cast<std::int64_t>(file.size());
  if (bytes == 0) throw Error("an empty file", file.path().string(), repair_hint);
  if (bytes % record != 0) {
    throw Error(fmt::format("cut short inside record {} (from 0): {} of its {} bytes are there", bytes / record,
                            bytes % record, record),
                file.path().string(), repair_hint);
  }
  batches_.push_back({stem_of(name), split, std::move(file), bytes / record});
}

Listing CifarSource::list() {
  Listing listing;
  listing.height = listing.width = side;
  listing.classes = class_names(listing);
  for (const Batch& batch : batches_) {
    check_count(batch, listing);
    add_records(batch, listing);
  }
  return listing;
}

void CifarSource::add_records(const Batch& batch, Listing& listing) const {
  const std::string bytes = read_file(batch.file.path());
  const auto labels = static_cast<std::size_t>(format_.label_bytes());
  const std::size_t record = labels + static_cast<std::size_t>(pixel_bytes);
  if (bytes.size() != batch.file.size())
    throw Error("the file changes while it is read", batch.file.path().string(), "wait until it is whole");
  for (std::int64_t number = 0; number < batch.records; ++number) {
    const std::size_t begin = static_cast<std::size_t>(number) * record;
    int label = 0;
    for (std::size_t i = 0; i < labels; ++i) {
      label = static_cast<unsigned char>(bytes[begin + i]);
      if (label < format_.classes[i]) continue;
      throw Error(
          fmt::format("label {} in record {} (from 0), 0 to {} expected", label, number, format_.classes[i] - 1),
          batch.file.path().string(), repair_hint);
    }
    listing.candidates.push_back({fmt::format("{}:{}", batch.name, number), batch.split, "", label});
  }
}

std::vector<std::string> CifarSource::class_names(Listing& listing) const {
  constexpr std::uint64_t largest = 1 << 20;
  const auto classes = static_cast<std::size_t>(format_.classes.back());
  const fs::path file = folder_ / format_.names;
  std::vector<std::string> names;
  if (!fs::exists(file)) {
    for (std::size_t label = 0; label < classes; ++label) names.push_back(std::to_string(label));
    listing.notes.push_back(fmt::format("no {}: classes are called by their numbers", format_.names));
    return names;
  }
  const std::string content = read_file(file, largest);
  std::string_view text = content;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    if (const std::string_view name = trimmed(text.substr(0, end)); !name.empty()) names.emplace_back(name);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const std::set<std::string> different(names.begin(), names.end());
  if (names.size() == classes && different.size() == classes && is_utf8(content)) return names;
  throw Error(fmt::format("{} different names, {} expected", different.size(), classes), file.string(),
              "one name a line is expected, in UTF-8: unpack the archive again");
}

void CifarSource::check_count(const Batch& batch, Listing& listing) const {
  const std::int64_t official = batch.split == "train" ? format_.training_records : format_.test_records;
  if (batch.records == official) return;
  const std::string counts = fmt::format("{} records, {} in the official file", batch.records, official);
  if (strict_) {
    throw Error(counts, batch.file.path().string(),
                "fetch and unpack the binary version again, or leave --strict away if the file is meant to be so");
  }
  listing.notes.push_back(fmt::format("{} holds {}: was it cut?", batch.file.path().filename().string(), counts));
}

const CifarSource::Batch& CifarSource::batch_of(std::int64_t& id) const {
  const Batch* batch = batches_.data();
  for (; id >= batch->records; ++batch) id -= batch->records;
  return *batch;
}

std::filesystem::path CifarSource::file_of(std::int64_t id, const Candidate&) const { return batch_of(id).file.path(); }

std::vector<std::uint8_t> CifarSource::pixels_of(std::int64_t id) const {
  const Batch& batch = batch_of(id);
  const std::int64_t labels = format_.label_bytes();
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(pixel_bytes));
  batch.file.read(static_cast<std::uint64_t>(id * (labels + pixel_bytes) + labels), pixels);
  return pixels;
}

SourceBytes CifarSource::bytes_of(std::int64_t id, const Candidate&, BytesWanted) const {
  return source_bytes(pixels_of(id));
}

Picture CifarSource::picture(std::int64_t id, const Candidate&, const PictureRequest& request) const {
  std::vector<std::uint8_t> pixels = pixels_of(id);
  std::array<cv::Mat, 3> planes;
  for (std::size_t c = 0; c < 3; ++c) planes[c] = cv::Mat(side, side, CV_8UC1, pixels.data() + c * plane_bytes);
  Picture picture{{}, side, side, source_bytes(pixels)};
  cv::merge(planes.data(), planes.size(), picture.pixels);
  if (request.channels == 1) cv::cvtColor(picture.pixels, picture.pixels, cv::COLOR_RGB2GRAY);
  return picture;
}

}  // namespace lockstep::preprocess
