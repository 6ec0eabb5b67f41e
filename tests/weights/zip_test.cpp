#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"
#include "weights/zip_reader.hpp"
#include "weights/zip_writer.hpp"

namespace lockstep {
namespace {

std::vector<std::uint8_t> content_of(std::size_t bytes) {
  std::vector<std::uint8_t> content(bytes);
  std::iota(content.begin(), content.end(), std::uint8_t{1});
  return content;
}

void expect_entries(const std::filesystem::path& path, const std::vector<std::size_t>& sizes) {
  const ZipReader zip(path);
  ASSERT_EQ(zip.entries().size(), sizes.size());
  EXPECT_TRUE(zip.has_checksums());
  for (const std::size_t size : sizes) {
    std::vector<std::uint8_t> read(size);
    zip.read("entry " + std::to_string(size), read);
    EXPECT_EQ(read, content_of(size)) << size;
  }
}

TEST(Zip, ReadsWhatItWroteWithAndWithoutRecordsOf64Bits) {
  const testing::TemporaryFolder folder;
  const std::vector<std::size_t> sizes{0, 1, 63, 64, 65, 1000, 5000};
  for (const std::uint64_t largest : {std::uint64_t{1} << 32, std::uint64_t{900}, std::uint64_t{10}}) {
    ZipWriter writer(folder / "w.zip", largest);
    for (const std::size_t size : sizes) writer.add("entry " + std::to_string(size), content_of(size));
    writer.finish();
    expect_entries(folder / "w.zip", sizes);
  }
}

TEST(Zip, MoreEntriesThan16BitsCount) {
  const testing::TemporaryFolder folder;
  ZipWriter writer(folder / "w.zip");
  for (int i = 0; i < 66000; ++i) writer.add(std::to_string(i), "");
  writer.finish();
  EXPECT_EQ(ZipReader(folder / "w.zip").entries().size(), 66000u);
}

TEST(Zip, CutShortAnywhereIsAnError) {
  const testing::TemporaryFolder folder;
  ZipWriter writer(folder / "w.zip", 100);
  writer.add("a", content_of(200));
  writer.add("b", content_of(10));
  writer.finish();
  const std::string whole = read_file(folder / "w.zip");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file_atomically(folder / "cut.zip", whole.substr(0, size));
    EXPECT_THROW(ZipReader(folder / "cut.zip"), Error) << size;
  }
}

TEST(Zip, AnUnfinishedArchiveLeavesNothing) {
  const testing::TemporaryFolder folder;
  { ZipWriter(folder / "w.zip").add("a", "b"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

}  // namespace
}  // namespace lockstep
