#include "lockstep/record/event_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/record/crc32c.hpp"
#include "lockstep/record/value_histogram.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

TEST(Crc32c, PublishedCheckValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);  // the check value of catalogues of CRCs
  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising.push_back(static_cast<char>(i));
    falling.push_back(static_cast<char>(31 - i));
  }
  EXPECT_EQ(crc32c(rising), 0x46DD794Eu);
  EXPECT_EQ(crc32c(falling), 0x113FDB5Cu);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(ProtobufWriter, ExamplesOfTheSpecification) {
  EXPECT_EQ(ProtobufWriter().integer(1, 150).bytes(), bytes_of({0x08, 0x96, 0x01}));
  EXPECT_EQ(ProtobufWriter().bytes(2, "testing").bytes(), bytes_of({0x12, 0x07}) + "testing");
  EXPECT_EQ(ProtobufWriter().message(3, ProtobufWriter().integer(1, 150)).bytes(),
            bytes_of({0x1A, 0x03, 0x08, 0x96, 0x01}));
}

TEST(ProtobufWriter, EdgesOfVarints) {
  const auto varint = [](std::int64_t value) { return ProtobufWriter().integer(1, value).bytes().substr(1); };
  EXPECT_EQ(varint(0), bytes_of({0}));
  EXPECT_EQ(varint(127), bytes_of({0x7F}));
  EXPECT_EQ(varint(128), bytes_of({0x80, 0x01}));
  EXPECT_EQ(varint(16383), bytes_of({0xFF, 0x7F}));
  EXPECT_EQ(varint(16384), bytes_of({0x80, 0x80, 0x01}));
  EXPECT_EQ(varint(-1), std::string(9, '\xFF') + '\x01');
  EXPECT_EQ(varint(std::numeric_limits<std::int64_t>::max()), std::string(8, '\xFF') + '\x7F');
  EXPECT_EQ(ProtobufWriter().integer(16, 1).bytes(), bytes_of({0x80, 0x01, 0x01})) << "a field number of two bytes";
}

TEST(ProtobufWriter, NumbersOfFixedWidth) {
  EXPECT_EQ(ProtobufWriter().real64(1, 1.0).bytes(), bytes_of({0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F}));
  EXPECT_EQ(ProtobufWriter().real32(2, 1.0f).bytes(), bytes_of({0x15, 0, 0, 0x80, 0x3F}));
  const std::vector<double> two{1.0, -2.0};
  EXPECT_EQ(ProtobufWriter().reals64(6, two).bytes(),
            bytes_of({0x32, 16, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 0, 0, 0, 0, 0, 0, 0xC0}));
}

TEST(EventFile, ARecordIsLengthContentAndTheirMaskedChecksums) {
  const std::string record = record_of("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), bytes_of({3, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(record.substr(12, 3), "abc");
  const auto masked = [](std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; };
  std::uint32_t of_length = 0, of_content = 0;
  std::memcpy(&of_length, record.data() + 8, 4);
  std::memcpy(&of_content, record.data() + 15, 4);
  EXPECT_EQ(of_length, masked(crc32c(record.substr(0, 8))));
  EXPECT_EQ(of_content, masked(crc32c("abc")));
}

TEST(EventFile, EveryStartHasAFileThatSortsBehindThoseBefore) {
  const TemporaryFolder folder;
  std::vector<std::filesystem::path> files;
  for (int start = 0; start < 5; ++start) files.push_back(EventFile(folder.path(), 0).path());
  EXPECT_TRUE(std::ranges::is_sorted(files, std::ranges::less_equal{})) << "all in the same second, and all different";
}

TEST(EventFile, AClockThatWentBackDoesNotHideAFile) {
  const TemporaryFolder folder;
  std::ofstream(folder / "events.out.tfevents.9000000000.elsewhere.1") << "";
  std::ofstream(folder / "events.out.tfevents.nonsense") << "";
  EXPECT_TRUE(EventFile(folder.path(), 0).path().filename().string().starts_with("events.out.tfevents.9000000001."));
}

TEST(EventFile, AnEventIsInTheFileOnceItIsWritten) {
  const TemporaryFolder folder;
  EventFile events(folder.path(), 0);
  const std::uintmax_t before = std::filesystem::file_size(events.path());
  EXPECT_GT(before, 0u) << "the version of the format";
  events.write(1, Summary());
  EXPECT_EQ(std::filesystem::file_size(events.path()), before) << "nothing to say";
  events.write(1, Summary().number("loss", 1));
  EXPECT_GT(std::filesystem::file_size(events.path()), before);
}

TEST(EventFile, AFolderThatIsNotThereIsAnError) {
  const TemporaryFolder folder;
  EXPECT_ANY_THROW(EventFile(folder / "nothing", 0));
}

TEST(ValueHistogram, CountsSumsAndEdges) {
  ValueHistogram histogram;
  const std::vector<float> values{1.0f, 1.1249f, 1.125f, -1.0f, 0.0f, -0.0f, 1e-20f, 3.4e38f};
  histogram.add(values);
  EXPECT_EQ(histogram.count(), 8);
  EXPECT_EQ(histogram.min(), -1.0);
  EXPECT_EQ(histogram.max(), static_cast<double>(3.4e38f));
  const auto [ends, counts] = histogram.buckets();
  const double tiny = std::ldexp(1, -40);
  EXPECT_EQ(ends, (std::vector<double>{-1.125, -1, -tiny, tiny, 1, 1.125, 1.25, std::ldexp(1.875, 127), std::ldexp(1, 128)}));
  EXPECT_EQ(counts, (std::vector<double>{0, 1, 0, 3, 0, 2, 1, 0, 1}));
}

TEST(ValueHistogram, WhatIsNotFiniteIsLeftOut) {
  ValueHistogram histogram;
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{infinity, -infinity, std::nanf(""), -std::nanf(""), 2.0f};
  histogram.add(values);
  EXPECT_EQ(histogram.count(), 1);
  EXPECT_EQ(histogram.sum(), 2);
  EXPECT_EQ(histogram.sum_of_squares(), 4);
  EXPECT_TRUE(Summary().histogram("nothing", ValueHistogram()).empty());
}

}  // namespace
}  // namespace lockstep
