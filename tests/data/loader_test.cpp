#include "lockstep/data/loader.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "lockstep/core/error.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;
using testing::write_tiny_data_set;

Loader::Requests requests_of(std::vector<BatchRequest> all) {
  return [all = std::move(all), next = std::size_t{0}]() mutable -> std::optional<BatchRequest> {
    if (next == all.size()) return std::nullopt;
    return all[next++];
  };
}

Augmentation whole_image(std::int64_t, std::int64_t) {
  Augmentation none;
  none.crop = {0, 0, 8, 8};
  return none;
}

class Loaders : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Manifest manifest_ = write_tiny_data_set(folder_.path());
  DataSplit split_{folder_.path(), manifest_, "train"};
  ImageTransform transform_{manifest_.shape, 8, channel_scale(Normalisation::unit, manifest_)};
};

TEST_F(Loaders, HandOutBatchesInOrderWithPixelsLabelsAndIds) {
  Loader loader(split_, transform_, whole_image, requests_of({{0, 0, {5, 3, 40}}, {0, 1, {}}, {1, 2, {52}}}), 3, 2);
  const std::vector<std::vector<std::int64_t>> expected{{5, 3, 40}, {}, {52}};
  for (std::size_t b = 0; b < expected.size(); ++b) {
    const auto batch = loader.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->step, static_cast<std::int64_t>(b));
    ASSERT_EQ(batch->images.size(0), static_cast<std::int64_t>(expected[b].size()));
    EXPECT_EQ(batch->images.size(1), 3);
    EXPECT_TRUE(batch->images.numel() == 0 || batch->images.is_contiguous(at::MemoryFormat::ChannelsLast));
    for (std::size_t i = 0; i < expected[b].size(); ++i) {
      EXPECT_EQ(batch->ids[i], split_.id(expected[b][i]));
      EXPECT_EQ(batch->labels.const_data_ptr<std::int64_t>()[i], split_.label(expected[b][i]));
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(manifest_.shape.bytes()));
      split_.read(expected[b][i], bytes);
      const float* slot = batch->images.const_data_ptr<float>() + i * bytes.size();
      for (std::size_t p = 0; p < bytes.size(); ++p) ASSERT_FLOAT_EQ(slot[p], static_cast<float>(bytes[p]) / 255);
    }
  }
  EXPECT_FALSE(loader.next());
  EXPECT_FALSE(loader.next());
}

TEST_F(Loaders, ReuseMemoryOnlyWhenNobodyHoldsIt) {
  std::vector<BatchRequest> many;
  for (std::int64_t i = 0; i < 20; ++i) many.push_back({0, i, {i, i + 1}});
  Loader loader(split_, transform_, whole_image, requests_of(many), 2, 2);
  const auto held = loader.next();
  const at::Tensor copy = held->images.clone();
  while (loader.next()) {
  }
  EXPECT_TRUE(held->images.equal(copy));
}

TEST_F(Loaders, EndCleanlyInTheMiddle) {
  std::vector<BatchRequest> many(100, BatchRequest{0, 0, {1, 2, 3}});
  Loader loader(split_, transform_, whole_image, requests_of(many), 4, 8);
  EXPECT_TRUE(loader.next());
}

TEST_F(Loaders, ThrowWhatAWorkerMet) {
  Loader loader(
      split_, transform_, [](std::int64_t, std::int64_t) -> Augmentation { throw Error("bad draw", "here", ""); },
      requests_of({{0, 0, {1}}}), 1, 1);
  EXPECT_THROW(loader.next(), Error);
}

TEST_F(Loaders, ThrowWhatTheRequestsMet) {
  Loader loader(
      split_, transform_, whole_image, []() -> std::optional<BatchRequest> { throw Error("no plan", "", ""); }, 1, 1);
  EXPECT_THROW(loader.next(), Error);
}

TEST(DataSplit, ReadsAcrossShards) {
  const TemporaryFolder folder;
  const Manifest manifest = write_tiny_data_set(folder.path());
  const DataSplit split(folder.path(), manifest, "train");
  ASSERT_EQ(split.samples(), 53);
  for (std::int64_t p = 0; p < 53; ++p) {
    EXPECT_EQ(split.id(p), p);
    EXPECT_EQ(split.label(p), p % 3);
  }
  EXPECT_THROW(DataSplit(folder.path(), manifest, "dev"), Error);
}

TEST(DataSplit, AMissingOrShortenedShardIsNamed) {
  const TemporaryFolder folder;
  const Manifest manifest = write_tiny_data_set(folder.path());
  const auto shard = folder.path() / "shards" / "train-00001.h5";
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) / 2);
  try {
    DataSplit split(folder.path(), manifest, "train");
    FAIL() << "half a shard was taken for a whole one";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("train-00001.h5"), std::string::npos) << error.what();
  }
  std::filesystem::remove(shard);
  EXPECT_THROW(DataSplit(folder.path(), manifest, "train"), Error);
}

}  // namespace
}  // namespace lockstep
