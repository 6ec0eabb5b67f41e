// Writes the first inputs of every target, small and whole, into FOLDER/<target>/: made by our own writers and
// OpenCV's.
#include <zlib.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "fuzz/seeds.hpp"
#include "fuzz/target.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/image_table.hpp"
#include "lockstep/data/shard.hpp"
#include "lockstep/evaluate/kept_predictions.hpp"

namespace {
namespace fs = std::filesystem;
using namespace lockstep;
using fuzz::Seeds;

cv::Mat picture(int type) {
  cv::Mat small(5, 7, type), pixels;
  cv::RNG draws(3);
  draws.fill(small, cv::RNG::UNIFORM, 0, type == CV_16UC3 ? 65536 : 256);
  cv::resize(small, pixels, {fuzz::picture_width, fuzz::picture_height}, 0, 0, cv::INTER_LINEAR);
  return pixels;
}

std::string encoded(const std::string& extension, const cv::Mat& pixels, const std::vector<int>& settings = {}) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, pixels, bytes, settings);
  return {bytes.begin(), bytes.end()};
}

/// A TIFF structure that says nothing but an orientation.
std::string exif_block(bool little, char orientation) {
  using namespace std::string_literals;
  return little ? "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + orientation + "\0\0\0\0\0\0\0"s
                : "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"s + orientation + "\0\0\0\0\0\0"s;
}

std::string with_exif(const std::string& jpeg, const std::string& block) {
  using namespace std::string_literals;
  const std::string body = "Exif\0\0"s + block;
  const auto length = static_cast<char>(body.size() + 2);
  return jpeg.substr(0, 2) + "\xFF\xE1\0"s + length + body + jpeg.substr(2);
}

void add_pictures(Seeds& seeds) {
  using namespace std::string_literals;
  const std::string asked = "\x09";  // three channels, reduced to four pixels
  const std::vector<std::vector<int>> kinds = {
      {}, {cv::IMWRITE_JPEG_PROGRESSIVE, 1}, {cv::IMWRITE_JPEG_RST_INTERVAL, 1}, {cv::IMWRITE_JPEG_QUALITY, 20}};
  for (const std::vector<int>& kind : kinds) {
    for (const int type : {CV_8UC1, CV_8UC3}) seeds.add("jpeg", asked + encoded(".jpg", picture(type), kind));
  }
  const std::string jpeg = encoded(".jpg", picture(CV_8UC3));
  for (const char orientation : {'\1', '\6', '\x8'}) {
    for (const bool little : {true, false}) {
      seeds.add("exif", exif_block(little, orientation));
      seeds.add("exif", with_exif(jpeg, exif_block(little, orientation)));
      seeds.add("jpeg", "\x01" + with_exif(jpeg, exif_block(little, orientation)));
    }
  }
  for (const char reduction : {'\0', '\1', '\3'}) {
    const std::string part = "\3\4\5\6";
    seeds.add("jpeg_parts", static_cast<char>(reduction | 4) + part + jpeg);
    seeds.add("jpeg_parts", reduction + part + encoded(".jpg", picture(CV_8UC1)));
  }
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC3})
    seeds.add("png", "\x01" + encoded(".png", picture(type)));
  seeds.add("png", "\0"s + encoded(".png", picture(CV_8UC1) > 100, {cv::IMWRITE_PNG_BILEVEL, 1}));
  for (const char* extension : {".bmp", ".ppm", ".webp", ".jpg", ".png"})
    seeds.add("image", "\x01" + encoded(extension, picture(CV_8UC3)));
  for (const char* extension : {".pgm", ".pbm"}) seeds.add("image", "\0"s + encoded(extension, picture(CV_8UC1)));
  seeds.add("image", "\x01P3 # a comment\n2 1 255\n1 2 3 4 5 6\n");
  seeds.add("image", "\x01GIF89a");
}

void add_texts(Seeds& seeds) {
  seeds.add("csv", "id,label\n1.jpg,cat\r\n\"2, really.jpg\",\"a \"\"dog\"\"\"\n");
  seeds.add("csv", "\xEF\xBB\xBFname;class;weight\n1;2;0.5\r2;3;1e-3\r");
  seeds.add("csv", "a\tb\n\n\"line\nbreak\"\tc");
  seeds.add("predictions", "id,label,probability,cat,dog\n1,cat,0.75,0.75,0.25\n2.png,dog,1,0,1\n");
  seeds.add("predictions", "id,label\n1,1\n2,0\n");
  seeds.add("class_names", "n01440764 tench, Tinca tinca\nn01443537 goldfish\n");
  seeds.add("class_names", "{\"0\": [\"n01440764\", \"tench\"], \"1\": [\"n01443537\", \"goldfish\"]}");
  seeds.add("class_names", "{\"a\": \"ant\"}");
  seeds.add("class_names", "[\"cat\", \"dog\"]");
  Manifest manifest;
  manifest.classes = {"cat", "dog"};
  manifest.shape = {4, 5, 3};
  manifest.mean = {1, 2, 3};
  manifest.std = {1, 1, 1};
  manifest.splits = {{"train", 3, {2, 1}, {{"shards/train-00000.h5", 3, 12345, "0123456789abcdef"}}}};
  manifest.status_counts = {{"ok", 3}, {"refused", 1}};
  manifest.findings = {{"leakage", 0}};
  manifest.settings = {{"source", "csv"}};
  seeds.add("manifest", manifest.to_json());
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);  // 31: with gzip's header
  std::string packed(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<unsigned>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<unsigned>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

void add_records(Seeds& seeds) {
  using namespace std::string_literals;
  const std::string images = "\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03"s + "abcdefghijkl";
  const std::string labels = "\0\0\x08\x01\0\0\0\x02"s + "\0\1"s;
  for (const std::string& array : {images, labels}) {
    seeds.add("idx", array);
    seeds.add("idx", gzipped(array));
  }
  seeds.add("cifar", "\0\5\7"s + std::string(3072, 'x'));
  std::string names;
  for (int i = 0; i < 100; ++i) names += "class " + std::to_string(100 + i) + "\n";  // 10 bytes a line: 125 times 8
  seeds.add("cifar", "\x7D" + names + "\5\7"s + std::string(3072, 'x'));
}

void add_hdf5(Seeds& seeds) {
  for (const Store store : {Store::raw, Store::jpeg}) {
    for (const bool weighted : {false, true}) {
      const fs::path file = seeds.scratch("shard.h5");
      const std::string jpeg = encoded(".jpg", picture(CV_8UC3));
      const std::string image = store == Store::raw ? std::string(60, 'p') : jpeg;
      ShardIndex index{{-1, 0, 1}, {10, 11, 12}, {}, {0}};
      if (weighted) index.weights.assign(3, 0.5f);
      for (int i = 0; store == Store::jpeg && i < 3; ++i) index.ends.push_back(index.ends.back() + std::ssize(image));
      ShardWriter writer(file, index, {{4, 5, 3}, store, weighted});
      for (int i = 0; i < 3; ++i) writer.add({reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
      writer.finish();
      const auto about = static_cast<char>(3 | (store == Store::jpeg ? 16 : 0) | (weighted ? 32 : 0));
      seeds.add("shard", about + read_file(file));
      fs::remove(file);
    }
  }
  for (const std::size_t rows : {0u, 3u}) {
    const fs::path file = seeds.scratch("images.h5");
    write_image_table(file, std::vector<ImageRow>(rows, {"a/1.jpg", "train", 0, 20, 30, ImageStatus::ok, "", {}}));
    seeds.add("image_table", read_file(file));
    fs::remove(file);
  }
  const fs::path file = seeds.scratch("predictions.h5");
  SplitPredictions single{"test", "best", "0123456789abcdef", {3, 8}, {0, 1}, {1, 1}, {0.5, 0.25, -1, 2}, true, "fedcba9876543210"};
  SplitPredictions several = single;
  several.split = "validation of /data";
  several.single_precision = false;
  for (const auto& splits : {std::vector{single}, std::vector{single, several}}) {
    write_predictions(file, {{"ant", "bee"}, splits});
    seeds.add("kept_predictions", read_file(file));
    fs::remove(file);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  fs::create_directories(argv[1]);
  Seeds seeds(argv[1]);
  add_pictures(seeds);
  add_texts(seeds);
  add_records(seeds);
  add_hdf5(seeds);
  fuzz::add_weights(seeds);
  return 0;
}
