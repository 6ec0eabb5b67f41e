// How images are stored: JPEG files as they were or written here, the choice between them, limits of size, weights.
#include <gtest/gtest.h>

#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include <opencv2/imgcodecs.hpp>

#include "lockstep/data/image_table.hpp"
#include "lockstep/data/jpeg_decoder.hpp"
#include "packing_test.hpp"
#include "preprocess/channel_sums.hpp"
#include "preprocess/jpeg_encoder.hpp"
#include "preprocess/resize.hpp"
#include "preprocess/store_choice.hpp"

namespace lockstep::preprocess {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// RGB, smooth, a little colourful.
cv::Mat gradient(cv::Size size) {
  cv::Mat pixels(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x)
      pixels.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<std::uint8_t>(40 + 3 * x), static_cast<std::uint8_t>(200 - y),
                                             static_cast<std::uint8_t>(90 + x + y));
  }
  return pixels;
}

/// A baseline JPEG whose components follow each other, each in a scan of its own, as cjpeg -scans writes it.
Bytes in_three_scans(const cv::Mat& rgb) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &file, &size);
  info.image_width = static_cast<JDIMENSION>(rgb.cols);
  info.image_height = static_cast<JDIMENSION>(rgb.rows);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_scan_info scans[3] = {};
  for (int c = 0; c < 3; ++c) {
    scans[c].comps_in_scan = 1;
    scans[c].component_index[0] = c;
    scans[c].Se = 63;
  }
  info.scan_info = scans;
  info.num_scans = 3;
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < rgb.rows; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(rgb.ptr(y));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  Bytes bytes(file, file + size);
  jpeg_destroy_compress(&info);
  std::free(file);
  return bytes;
}

cv::Mat decoded(const Bytes& file, int channels = 3) {
  return decode_image(file, {channels, 0, usual_most_pixels, {}}).pixels;
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * static_cast<std::size_t>(a.channels()));
}

class StoreTest : public PackingTest {
 protected:
  static Values jpeg(Values more = {}) {
    more.insert({{"store", "jpeg"}, {"validation", "0"}, {"test", "0"}});
    return more;
  }
  /// The stored bytes of an image of the training split.
  Bytes stored(const std::string& output, const Manifest& manifest, std::int64_t at) const {
    const Shard shard = std::move(shards(output, manifest, "train")[0]);
    Bytes bytes(shard.place(at).bytes);
    shard.read(at, bytes);
    return bytes;
  }
  Bytes source(const std::string& name) const {
    const std::string text = read_file(folder_ / ("in/" + name));
    return {text.begin(), text.end()};
  }
  void jpeg_file(const std::string& name, const cv::Mat& rgb, const std::vector<int>& settings = {}) const {
    cv::Mat bgr(rgb.size(), rgb.type());
    if (rgb.channels() == 3) cv::mixChannels(rgb, bgr, {0, 2, 1, 1, 2, 0});
    Bytes bytes;
    cv::imencode(".jpg", rgb.channels() == 3 ? bgr : rgb, bytes, settings);
    folder_.file("in/" + name, {bytes.begin(), bytes.end()});
  }
};

TEST(JpegEncoder, ColoursAreHalvedBelowQuality95) {
  const auto sampling = [](int quality) {
    const Bytes file = encode_jpeg(gradient({32, 24}), quality);
    const auto frame = std::ranges::search(file, Bytes{0xFF, 0xC0});  // baseline
    return frame.empty() ? -1 : frame.begin()[11];                    // of the first component: columns × 16 + rows
  };
  EXPECT_EQ(sampling(94), 0x22);
  EXPECT_EQ(sampling(95), 0x11);
}

TEST(JpegEncoder, BetterQualityIsNearerAndLarger) {
  const cv::Mat pixels = gradient({64, 64});
  double nearest = 100;
  std::size_t largest = 0;
  for (const int quality : {10, 50, 90, 100}) {
    const Bytes file = encode_jpeg(pixels, quality);
    const double difference = mean_difference(decoded(file), pixels);
    EXPECT_LT(difference, nearest) << quality;
    EXPECT_GT(file.size(), largest) << quality;
    nearest = difference;
    largest = file.size();
  }
  EXPECT_LT(nearest, 1);
}

TEST(ChannelSums, AreThoseOfPlainLoops) {
  for (const std::size_t channels : {1u, 3u}) {
    for (const std::size_t pixels : {0u, 1u, 15u, 16u, 17u, 5000u, 3'200'000u}) {
      Bytes image(pixels * channels);
      for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24 | 128);
      ChannelSums sums, expected;
      sums.add(image, channels);
      expected.pixels = static_cast<std::int64_t>(pixels);
      for (std::size_t i = 0; i < image.size(); ++i) {
        expected.values[i % channels] += image[i];
        expected.squares[i % channels] += image[i] * image[i];
      }
      EXPECT_EQ(sums.pixels, expected.pixels);
      EXPECT_EQ(sums.values, expected.values) << pixels;
      EXPECT_EQ(sums.squares, expected.squares) << pixels;
    }
  }
  ChannelSums white;
  white.add(Bytes(3'300'000, 255), 1);  // one call whose lanes would not fit 32 bits together
  EXPECT_EQ(white.squares[0], std::int64_t{3'300'000} * 255 * 255);
}

TEST(JpegEncoder, GreyHasOneComponent) {
  cv::Mat grey(20, 30, CV_8UC1, cv::Scalar(77));
  const cv::Mat again = decoded(encode_jpeg(grey, 90), 1);
  EXPECT_LT(mean_difference(again, grey), 1.5);
}

TEST_F(StoreTest, FilesThatFitAreStoredByteForByte) {
  jpeg_file("a/baseline.jpg", gradient({24, 24}));
  jpeg_file("b/larger.jpg", gradient({48, 48}));
  const Manifest manifest = pack_into("out", jpeg({{"side", "24"}}));
  EXPECT_EQ(manifest.store, Store::jpeg);
  EXPECT_EQ(stored("out", manifest, 0), source("a/baseline.jpg"));
  EXPECT_NE(stored("out", manifest, 1), source("b/larger.jpg"));
  EXPECT_EQ(read_image_table(folder_ / "out/images.h5").at(0).width, 24);
}

TEST_F(StoreTest, UnusualFilesOfTheRightSizeAreEncodedAnew) {
  const cv::Mat pixels = gradient({24, 24});
  jpeg_file("a/0-progressive.jpg", pixels, {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  jpeg_file("a/1-grey.jpg", cv::Mat(24, 24, CV_8UC1, cv::Scalar(50)));
  jpeg_file("a/2-plain.jpg", pixels);
  Bytes turned = source("a/2-plain.jpg"), stray = turned;
  const Bytes exif = {0xFF, 0xE1, 0,    34, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0,
                      1,    0,    0x12, 1,  3,   0,   1,   0,   0, 0, 3,   0,   0,  0, 0, 0, 0, 0};
  turned.insert(turned.begin() + 2, exif.begin(), exif.end());
  folder_.file("in/a/3-turned.jpg", {turned.begin(), turned.end()});
  stray.insert(stray.begin() + 2, {1, 2, 3});
  folder_.file("in/a/4-stray.jpg", {stray.begin(), stray.end()});
  folder_.file("in/b/5.png", encoded(".png", {24, 24}, 9));
  const Manifest manifest = pack_into("out", jpeg({{"side", "24"}}));
  ASSERT_EQ(manifest.split("train").samples, 6);
  EXPECT_EQ(stored("out", manifest, 2), source("a/2-plain.jpg"));
  for (const auto& [at, name] : std::map<std::int64_t, std::string>{
           {0, "a/0-progressive.jpg"}, {1, "a/1-grey.jpg"}, {3, "a/3-turned.jpg"}, {4, "a/4-stray.jpg"}}) {
    const Bytes bytes = stored("out", manifest, at);
    EXPECT_NE(bytes, source(name)) << name;
    EXPECT_EQ(bytes, encode_jpeg(decoded(source(name)), 90)) << name;
  }
  EXPECT_EQ(read_image_table(folder_ / "out/images.h5").at(3).reason, "");
}

TEST_F(StoreTest, FilesOfSeveralScansAreEncodedAnew) {
  const Bytes scans = in_three_scans(gradient({24, 24}));
  ASSERT_EQ(decoded(scans).size(), cv::Size(24, 24));
  folder_.file("in/a/scans.jpg", {scans.begin(), scans.end()});
  const Manifest manifest = pack_into("out", jpeg({{"side", "24"}}));
  const Bytes bytes = stored("out", manifest, 0);
  EXPECT_EQ(bytes, encode_jpeg(decoded(scans), 90));
  const PixelBox whole{0, 0, 24, 24};
  EXPECT_NO_THROW(JpegDecoder().decode(bytes, manifest.shape, whole, 1));
  EXPECT_THROW(JpegDecoder().decode(scans, manifest.shape, whole, 1), JpegFault) << "the loader takes one scan alone";
}

TEST_F(StoreTest, GreySetsKeepGreyFilesOnly) {
  jpeg_file("a/grey.jpg", cv::Mat(24, 24, CV_8UC1, cv::Scalar(50)));
  jpeg_file("b/colour.jpg", gradient({24, 24}));
  const Manifest manifest = pack_into("out", jpeg({{"side", "24"}, {"channels", "1"}}));
  EXPECT_EQ(stored("out", manifest, 0), source("a/grey.jpg"));
  EXPECT_EQ(stored("out", manifest, 1), encode_jpeg(decoded(source("b/colour.jpg"), 1), 90));
}

TEST_F(StoreTest, WhatIsEncodedIsTheFittedPicture) {
  jpeg_file("a/wide.jpg", gradient({60, 40}));
  folder_.file("in/b/broken.jpg", "not a picture");
  jpeg_file("b/2.jpg", gradient({40, 50}));
  const Manifest manifest = pack_into("out", jpeg({{"side", "24"}, {"quality", "97"}}));
  const cv::Mat fitted = fit_picture(decoded(source("a/wide.jpg")), {24, 24}, Fit::crop);
  EXPECT_EQ(stored("out", manifest, 0), encode_jpeg(fitted, 97));
  EXPECT_LT(mean_difference(decoded(stored("out", manifest, 0)), fitted), 2);
  EXPECT_EQ(manifest.settings.at("quality"), "97");
  EXPECT_EQ(manifest.status_counts.at("refused"), 1);
}

TEST_F(StoreTest, ThreadsChangeNoByte) {
  make_images(12);
  pack_into("one", jpeg({{"threads", "1"}}));
  pack_into("many", jpeg({{"threads", "5"}}));
  EXPECT_EQ(differing_files("one", "many"), std::vector<std::string>{});
}

TEST_F(StoreTest, QualityWithoutJpegIsAUsageError) {
  make_images(2);
  EXPECT_CONTAINS(failure("out", {{"quality", "80"}}), "raw pixels have no JPEG quality · --quality");
  EXPECT_CONTAINS(failure("out", {{"store", "jpeg"}, {"quality", "101"}}), "quality");
}

TEST_F(StoreTest, AutoTakesRawWhereAllFitsIntoMemory) {
  make_images(6);
  const Manifest manifest = pack_into("out", {{"store", "auto"}, {"quality", "80"}});
  EXPECT_EQ(manifest.store, Store::raw);
  EXPECT_EQ(manifest.settings.at("store"), "auto");
}

TEST_F(StoreTest, AutoSaysWhereNothingCanBeDecoded) {
  folder_.file("in/a/1.jpg", "not a picture");
  EXPECT_CONTAINS(failure("out", {{"store", "auto"}}), "none of the sampled images can be decoded");
}

TEST(StoreChoice, FollowsSpaceThenMemoryThenTime) {
  const double mib = 1 << 20;
  const StoreCosts slow{1000, 1 * mib, 0.1 * mib, 0.01}, quick{1000, 1 * mib, 0.1 * mib, 0.001};
  const auto choice = [](const StoreCosts& costs, const StoreMeans& means) { return choose_store(costs, means).store; };
  EXPECT_EQ(choice(slow, {900 * mib, 8000 * mib, 1}), Store::jpeg) << "no room on the disk";
  EXPECT_EQ(choice(quick, {9000 * mib, 2000 * mib, 1}), Store::raw) << "stays in memory";
  EXPECT_EQ(choice(slow, {9000 * mib, 1900 * mib, 1}), Store::raw) << "10 ms to decode, 2 ms to read";
  EXPECT_EQ(choice(quick, {9000 * mib, 1900 * mib, 1}), Store::jpeg) << "1 ms to decode, 2 ms to read";
  EXPECT_EQ(choice(slow, {9000 * mib, 1900 * mib, 8}), Store::jpeg) << "on eight cores";
  EXPECT_CONTAINS(choose_store(quick, {9000 * mib, 1900 * mib, 2}).reason, "--store auto: jpeg, since at 500 MB/s");
}

TEST_F(StoreTest, MaxPixelsRefusesByTheHeader) {
  make_images(2);
  folder_.file("in/a/big.ppm", "P6 1500 1000 255\n");
  const auto reason = [&](const std::string& output) {
    return read_image_table(folder_ / output / "images.h5").at(2).reason;
  };
  pack_into("out", {{"max-pixels", "1"}});
  EXPECT_EQ(reason("out"), "1500 × 1000 pixels, at most 1 million are accepted (--max-pixels)");
  pack_into("more", {{"max-pixels", "2"}});
  EXPECT_CONTAINS(reason("more"), "the file is cut short");
  EXPECT_CONTAINS(failure("none", {{"max-pixels", "0"}}), "max-pixels");
}

TEST_F(StoreTest, FoldersWithoutClassesAreUnlabelledSamples) {
  make_images(3);
  folder_.file("in/notes.txt", "x");
  const Manifest manifest = pack_into("out", {{"source", "images"}});
  EXPECT_TRUE(manifest.classes.empty());
  ASSERT_EQ(manifest.splits.size(), 1u);
  EXPECT_EQ(manifest.split("predict").samples, 6);
  EXPECT_GT(manifest.mean[0], 0);
  const Shard shard = std::move(shards("out", manifest, "predict")[0]);
  for (std::int64_t i = 0; i < shard.samples(); ++i) EXPECT_EQ(shard.label(i), -1);
  EXPECT_EQ(read_image_table(folder_ / "out/images.h5").at(6).reason, "not an image by its extension");
  EXPECT_EQ(pack_into("test", {{"source", "images"}, {"split", "test"}}).split("test").samples, 6);
  EXPECT_CONTAINS(failure("no", {{"source", "images"}, {"split", "train"}}), "unlabelled images as the split 'train'");
  EXPECT_CONTAINS(failure("no", {{"source", "images"}, {"split", "../x"}}), "'../x' is no name for a split");
  EXPECT_CONTAINS(failure("no", {{"split", "predict"}}), "only --source images and csv");
  folder_.file("empty/notes.txt", "x");
  EXPECT_CONTAINS(failure("no", {{"source", "images"}, {"input", (folder_ / "empty").string()}}),
                  "no image in this folder");
  folder_.file("broken/1.jpg", "x");
  EXPECT_CONTAINS(failure("no", {{"source", "images"}, {"input", (folder_ / "broken").string()}}),
                  "none of the images can be used");
}

TEST_F(StoreTest, TablesOfUnlabelledImages) {
  make_images(2);
  const std::string table = folder_.file("in/set.csv", "id,note\na/0,x\nb/1,y\n").string();
  const Values values = {{"source", "csv"}, {"input", table}};
  EXPECT_CONTAINS(failure("out", values), "images without labels are packed with --split predict");
  Values split = values;
  split["split"] = "predict";
  EXPECT_EQ(pack_into("out", split).split("predict").samples, 2);
  split["csv-label"] = "note";
  EXPECT_CONTAINS(failure("no", split), "with --split the images are unlabelled · --csv-label");
}

TEST_F(StoreTest, WeightsOfSamplesPassThrough) {
  make_images(3);
  const auto pack_table = [&](const std::string& rows, const std::string& output) {
    const std::string table = folder_.file("in/set.csv", "id,label,w\n" + rows).string();
    return pack_into(output,
                     {{"source", "csv"}, {"input", table}, {"csv-weight", "W"}, {"validation", "0"}, {"test", "0"}});
  };
  const auto fault = [&](const std::string& rows) { return failure_of([&] { pack_table(rows, "no"); }); };
  const Manifest manifest = pack_table("a/0,x,0.5\na/1,y,3\nb/1,x,0\n", "out");
  EXPECT_TRUE(manifest.weighted);
  const Shard shard = std::move(shards("out", manifest, "train")[0]);
  EXPECT_EQ(shard.weight(0), 0.5f);
  EXPECT_EQ(shard.weight(1), 3);
  EXPECT_EQ(shard.weight(2), 0);
  EXPECT_EQ(manifest.settings.at("csv-weight"), "w");
  EXPECT_CONTAINS(fault("a/0,x,1\na/1,y,-1\n"), "weights that are not numbers of at least 0: 1 (line 3 '-1') · ");
  EXPECT_CONTAINS(fault("a/0,x,1\na/1,y,-1\n"), "set.csv:3");
  for (const char* wrong : {"nan", "inf", "much", "", "1e300"})
    EXPECT_CONTAINS(fault("a/0,x,1\na/1,y," + std::string(wrong) + "\n"), "weights that are not numbers");
  EXPECT_CONTAINS(fault("a/0,x,0\na/1,y,0\n"), "holds no weight above 0");
  EXPECT_CONTAINS(failure("no", {{"csv-weight", "w"}}), "only --source csv has tables · --csv-weight");
}

}  // namespace
}  // namespace lockstep::preprocess
