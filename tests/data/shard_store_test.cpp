// Shards that hold JPEG files or weights, and those of the first format version.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "lockstep/core/error.hpp"
#include "lockstep/core/hdf5.hpp"
#include "lockstep/data/shard.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

constexpr ImageShape shape{5, 7, 3};
constexpr ShardFormat jpeg{shape, Store::jpeg, false}, weighted{shape, Store::raw, true};

/// Stands for a JPEG file: shards keep bytes and do not look into them.
std::vector<std::uint8_t> file_of(std::int64_t index) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>(3 + index * index), static_cast<std::uint8_t>(index));
}

class ShardStore : public ::testing::Test {
 protected:
  ShardEntry write_jpeg(std::int64_t samples) const {
    ShardIndex index;
    for (std::int64_t i = 0; i < samples; ++i) {
      index.add(static_cast<std::int32_t>(i), i);
      index.ends.push_back(index.ends.back() + std::ssize(file_of(i)));
    }
    ShardWriter writer(folder_ / "a.h5", index, jpeg);
    for (std::int64_t i = 0; i < samples; ++i) writer.add(file_of(i));
    return writer.finish();
  }
  ShardEntry write_weighted(std::vector<float> weights) const {
    ShardIndex index;
    for (std::int64_t id = 0; id < std::ssize(weights); ++id) index.add(0, id);
    index.weights = std::move(weights);
    ShardWriter writer(folder_ / "a.h5", index, weighted);
    const std::vector<std::uint8_t> image(static_cast<std::size_t>(shape.bytes()), 9);
    for (std::size_t i = 0; i < index.ids.size(); ++i) writer.add(image);
    return writer.finish();
  }
  std::string failure(const ShardEntry& entry, const ShardFormat& format) const {
    try {
      Shard(folder_ / "a.h5", entry, format, 100);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  /// Replaces one stored offset by `value`.
  void damage_offset(const std::vector<std::int64_t>& offsets, std::size_t index, std::int64_t value) const {
    std::fstream file(folder_ / "a.h5", std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(file), {});
    const std::string block(reinterpret_cast<const char*>(offsets.data()), offsets.size() * sizeof(std::int64_t));
    const std::size_t at = bytes.find(block);
    ASSERT_NE(at, std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(at + index * sizeof value));
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ShardStore, JpegFilesComeBackWholeAndInParts) {
  const ShardEntry entry = write_jpeg(12);
  const Shard shard(folder_ / "a.h5", entry, jpeg, 100);
  for (std::int64_t i = 0; i < 12; ++i) {
    std::vector<std::uint8_t> bytes(shard.place(i).bytes);
    shard.read(i, bytes);
    EXPECT_EQ(bytes, file_of(i));
    std::vector<std::uint8_t> tail(bytes.size() - 2);
    shard.read(i, tail, 2);
    EXPECT_EQ(tail, std::vector<std::uint8_t>(bytes.begin() + 2, bytes.end()));
  }
  std::vector<std::uint8_t> too_long(shard.place(3).bytes);
  EXPECT_THROW(shard.read(3, too_long, 1), Error) << "it would read into the next image";
  Shard::verify(folder_ / "a.h5", entry);
}

TEST_F(ShardStore, JpegWriterTakesTheAnnouncedBytesAndNoMore) {
  ShardWriter writer(folder_ / "a.h5", {{0, 0}, {0, 1}, {}, {0, 3, 7}}, jpeg);
  writer.add(file_of(0));
  EXPECT_THROW(writer.add(file_of(2)), Error);
  EXPECT_THROW(writer.add(file_of(0)), Error) << "one byte is missing";
  writer.add(file_of(1));
  EXPECT_NO_THROW(writer.finish());
}

TEST_F(ShardStore, DamagedOffsetsAreNamed) {
  const ShardEntry entry = write_jpeg(4);
  const std::vector<std::int64_t> offsets = {0, 3, 7, 14, 26};
  damage_offset(offsets, 2, 2);
  EXPECT_NE(failure(entry, jpeg).find("JPEG 1 from byte 3 to 2"), std::string::npos) << failure(entry, jpeg);
  damage_offset({0, 3, 2, 14, 26}, 2, INT64_MIN);
  EXPECT_NE(failure(entry, jpeg).find("JPEG 1 from byte 3"), std::string::npos) << failure(entry, jpeg);
  damage_offset({0, 3, INT64_MIN, 14, 26}, 2, 7);
  damage_offset(offsets, 4, 27);
  EXPECT_NE(failure(entry, jpeg).find("uint8 [26], the manifest says uint8 [27]"), std::string::npos)
      << failure(entry, jpeg);
}

TEST_F(ShardStore, AnotherStoreThanTheManifestSays) {
  const ShardEntry entry = write_jpeg(4);
  EXPECT_NE(failure(entry, {shape}).find("images"), std::string::npos) << failure(entry, {shape});
  EXPECT_NE(failure(entry, {shape, Store::jpeg, true}).find("weights"), std::string::npos);
}

TEST_F(ShardStore, WeightsComeBackAndAreChecked) {
  const ShardEntry entry = write_weighted({0.5f, 0, 3});
  const Shard shard(folder_ / "a.h5", entry, weighted, 1);
  EXPECT_EQ(shard.weight(0), 0.5f);
  EXPECT_EQ(shard.weight(1), 0);
  EXPECT_EQ(shard.weight(2), 3);
  const Shard without(folder_ / "a.h5", entry, {shape}, 1);
  EXPECT_EQ(without.weight(2), 1) << "weights that the manifest does not speak of are not used";
  for (const float wrong : {-1.0f, INFINITY, NAN}) {
    const ShardEntry bad = write_weighted({1, wrong});
    EXPECT_NE(failure(bad, weighted).find("of sample 1, a finite number of at least 0"), std::string::npos) << wrong;
  }
}

TEST_F(ShardStore, TheFirstVersionIsReadAsRaw) {
  const std::int64_t samples = 2;
  const std::vector<std::int32_t> labels = {1, 0};
  {
    hdf5::File file = hdf5::File::create(folder_ / "a.h5");
    file.write_attribute("format_version", 1);
    file.reserve("images", hdf5::Element::uint8, {samples, shape.height, shape.width, shape.channels});
    file.write("labels", labels);
    file.write("ids", std::vector<std::int64_t>{4, 5});
    file.close();
  }
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(folder_ / "a.h5"));
  const Shard shard(folder_ / "a.h5", {"a.h5", samples, bytes, "0000000000000000"}, {shape}, 2);
  EXPECT_EQ(shard.label(0), 1);
  EXPECT_EQ(shard.id(1), 5);
}

}  // namespace
}  // namespace lockstep
