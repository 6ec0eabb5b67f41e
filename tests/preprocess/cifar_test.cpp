#include "preprocess/cifar.hpp"

#include <gtest/gtest.h>

#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

/// Records whose pixel bytes are a function of record and place, so that a plane or row out of order shows.
std::string records(int count, const std::string& labels, int first = 0) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes += labels;
    bytes.back() = static_cast<char>(bytes.back() + i % 3);
    for (int at = 0; at < 3072; ++at) bytes += static_cast<char>((at * 7 + at / 1024 + first + i) % 251);
  }
  return bytes;
}

constexpr const char* ten_names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

class CifarTest : public ::testing::Test {
 protected:
  void write_ten(const std::string& below = "") const {
    for (int i = 1; i <= 5; ++i)
      folder_.file(below + "data_batch_" + std::to_string(i) + ".bin", records(4, std::string(1, '\x05'), 10 * i));
    folder_.file(below + "test_batch.bin", records(3, std::string(1, '\x00'), 90));
    folder_.file(below + "batches.meta.txt", ten_names);
  }
  std::string failure(CifarKind kind = CifarKind::cifar10) const {
    return failure_of([&] { CifarSource(folder_.path(), kind).list(); });
  }
  TemporaryFolder folder_;
};

TEST_F(CifarTest, ReadsTheOfficialFiles) {
  write_ten();
  CifarSource source(folder_.path(), CifarKind::cifar10);
  const Listing listing = source.list();
  ASSERT_EQ(listing.candidates.size(), 23u);
  EXPECT_EQ(listing.classes.at(9), "truck");
  EXPECT_EQ(listing.height, 32);
  EXPECT_EQ(listing.candidates[5], (Candidate{"data_batch_2:1", "train", "", 6}));
  EXPECT_EQ(listing.candidates[22], (Candidate{"test_batch:2", "test", "", 2}));
  const Picture picture = source.picture(5, listing.candidates[5], {3, 0, {}});
  EXPECT_EQ(picture.width, 32);
  for (const auto& [row, column] : {std::pair{0, 0}, {0, 31}, {31, 0}, {17, 4}}) {
    for (int c = 0; c < 3; ++c) {
      const int at = c * 1024 + row * 32 + column;
      EXPECT_EQ(picture.pixels.at<cv::Vec3b>(row, column)[c], (at * 7 + at / 1024 + 21) % 251);
    }
  }
  EXPECT_EQ(source.picture(22, listing.candidates[22], {1, 0, {}}).pixels.type(), CV_8UC1);
}

TEST_F(CifarTest, TheUnpackedFolderIsFound) {
  write_ten("cifar-10-batches-bin/");
  EXPECT_EQ(CifarSource(folder_.path(), CifarKind::cifar10).list().candidates.size(), 23u);
}

TEST_F(CifarTest, ABatchCutShortIsAnErrorWithItsRecord) {
  write_ten();
  folder_.file("data_batch_3.bin", records(4, std::string(1, '\x05')).substr(0, 2 * 3073 + 100));
  EXPECT_CONTAINS(failure(), "cut short inside record 2 (from 0): 100 of its 3073 bytes");
  EXPECT_CONTAINS(failure(), "data_batch_3.bin · ");
  folder_.file("data_batch_3.bin", "");
  EXPECT_CONTAINS(failure(), "an empty file");
}

/// A file with as many records of zeros as asked for, which takes no space on the disk.
void write_zeros(const std::filesystem::path& file, std::uintmax_t bytes) {
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, "");
  std::filesystem::resize_file(file, bytes);
}

TEST_F(CifarTest, AFileCutBetweenTwoRecordsIsNoticedByItsCount) {
  constexpr std::uintmax_t record = 3073;
  for (int i = 1; i <= 5; ++i) write_zeros(folder_ / ("data_batch_" + std::to_string(i) + ".bin"), 10000 * record);
  write_zeros(folder_ / "test_batch.bin", 10000 * record);
  folder_.file("batches.meta.txt", ten_names);
  const auto list = [&](bool strict) { return CifarSource(folder_.path(), CifarKind::cifar10, strict).list(); };
  EXPECT_TRUE(list(true).notes.empty());
  write_zeros(folder_ / "data_batch_3.bin", 9999 * record);
  write_zeros(folder_ / "test_batch.bin", 10001 * record);
  const Listing listing = list(false);
  EXPECT_EQ(listing.candidates.size(), 60000u);
  EXPECT_EQ(listing.notes,
            (std::vector<std::string>{"data_batch_3.bin holds 9999 records, 10000 in the official file: was it cut?",
                                      "test_batch.bin holds 10001 records, 10000 in the official file: was it cut?"}));
  const std::string refused = failure_of([&] { list(true); });
  EXPECT_CONTAINS(refused, "9999 records, 10000 in the official file · ");
  EXPECT_CONTAINS(refused, "data_batch_3.bin · fetch and unpack the binary version again");
}

TEST_F(CifarTest, OfAHundredTheTwoFilesDifferInTheirCounts) {
  constexpr std::uintmax_t record = 3074;
  write_zeros(folder_ / "train.bin", 50000 * record);
  write_zeros(folder_ / "test.bin", 10000 * record);
  const auto notes = [&] { return CifarSource(folder_.path(), CifarKind::cifar100).list().notes; };
  EXPECT_EQ(notes().size(), 1u);  // no names of the classes
  write_zeros(folder_ / "train.bin", 10000 * record);
  EXPECT_CONTAINS(notes().at(1), "train.bin holds 10000 records, 50000 in the official file");
}

TEST_F(CifarTest, ALabelOutOfRangeIsAnErrorWithItsRecord) {
  write_ten();
  folder_.file("data_batch_2.bin", records(4, std::string(1, '\x08')));
  EXPECT_CONTAINS(failure(), "label 10 in record 2 (from 0), 0 to 9 expected");
  EXPECT_CONTAINS(failure(), "data_batch_2.bin");
}

TEST_F(CifarTest, MissingFilesAreListed) {
  EXPECT_CONTAINS(failure_of([&] { CifarSource(folder_ / "none", CifarKind::cifar10); }), "no such folder");
  write_ten();
  std::filesystem::remove(folder_ / "data_batch_4.bin");
  std::filesystem::remove(folder_ / "test_batch.bin");
  EXPECT_CONTAINS(failure(), "missing: data_batch_4.bin, test_batch.bin");
  folder_.file("data_batch_1", "pickled");
  EXPECT_CONTAINS(failure(), "Python version");
  folder_.file("cifar-10-binary.tar.gz", "x");
  EXPECT_CONTAINS(failure(), "unpack cifar-10-binary.tar.gz");
}

TEST_F(CifarTest, NamesAreCheckedAndMayBeMissing) {
  write_ten();
  folder_.file("batches.meta.txt", "airplane\nautomobile\n");
  EXPECT_CONTAINS(failure(), "2 different names, 10 expected");
  std::filesystem::remove(folder_ / "batches.meta.txt");
  const Listing listing = CifarSource(folder_.path(), CifarKind::cifar10).list();
  EXPECT_EQ(listing.classes.at(3), "3");
  EXPECT_CONTAINS(listing.notes.at(0), "no batches.meta.txt");
}

TEST_F(CifarTest, OfAHundredTheFineLabelCounts) {
  folder_.file("cifar-100-binary/train.bin", records(3, std::string("\x13\x61", 2), 5));
  folder_.file("cifar-100-binary/test.bin", records(2, std::string("\x00\x01", 2)));
  std::string names;
  for (int i = 0; i < 100; ++i) names += "fine" + std::to_string(i) + "\n";
  folder_.file("cifar-100-binary/fine_label_names.txt", names);
  CifarSource source(folder_.path(), CifarKind::cifar100);
  const Listing listing = source.list();
  EXPECT_EQ(listing.candidates.at(2), (Candidate{"train:2", "train", "", 99}));
  EXPECT_EQ(listing.classes.at(99), "fine99");
  EXPECT_EQ(source.picture(1, listing.candidates[1], {3, 0, {}}).pixels.at<cv::Vec3b>(0, 1)[0], 7 + 5 + 1);
  folder_.file("cifar-100-binary/test.bin", records(2, std::string("\x14\x01", 2)));
  EXPECT_CONTAINS(failure(CifarKind::cifar100), "label 20 in record 0 (from 0), 0 to 19 expected");
}

}  // namespace
}  // namespace lockstep::preprocess
