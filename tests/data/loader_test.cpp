#include "lockstep/data/loader.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "lockstep/core/error.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;
using testing::write_tiny_data_set;

BatchRequests requests_of(std::vector<BatchRequest> all) {
  return [all = std::move(all), next = std::size_t{0}]() mutable -> std::optional<BatchRequest> {
    if (next == all.size()) return std::nullopt;
    return all[next++];
  };
}

BatchRequest request(std::int64_t epoch, std::int64_t step, std::vector<std::int64_t> positions) {
  BatchRequest one;
  one.epoch = epoch;
  one.step = step;
  one.positions = std::move(positions);
  return one;
}

Augmentation whole_image(std::int64_t, std::int64_t, std::int32_t) {
  Augmentation none;
  none.crop = {0, 0, 8, 8};
  return none;
}

LoaderSettings with(std::int64_t threads, std::int64_t prefetch, SlotType slot = SlotType::float32) {
  return {threads, prefetch, slot, c10::Device(c10::kCPU)};
}

class Loaders : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Manifest manifest_ = write_tiny_data_set(folder_.path());
  DataSplit split_{folder_.path(), manifest_, "train"};
  ImageTransform transform_{manifest_.shape, 8, channel_scale(Normalisation::unit, manifest_)};
};

TEST_F(Loaders, HandOutBatchesInOrderWithPixelsLabelsAndIds) {
  Loader loader(split_, split_, transform_, {whole_image, {}},
                requests_of({request(0, 0, {5, 3, 40}), request(0, 1, {}), request(1, 2, {52})}), with(3, 2));
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
  for (std::int64_t i = 0; i < 20; ++i) many.push_back(request(0, i, {i, i + 1}));
  Loader loader(split_, split_, transform_, {whole_image, {}}, requests_of(many), with(2, 2));
  const auto held = loader.next();
  const at::Tensor copy = held->images.clone();
  while (loader.next()) {
  }
  EXPECT_TRUE(held->images.equal(copy));
}

TEST_F(Loaders, EndCleanlyInTheMiddle) {
  std::vector<BatchRequest> many(100, request(0, 0, {1, 2, 3}));
  Loader loader(split_, split_, transform_, {whole_image, {}}, requests_of(many), with(4, 8));
  EXPECT_TRUE(loader.next());
}

TEST_F(Loaders, ThrowWhatAWorkerMet) {
  const auto bad = [](std::int64_t, std::int64_t, std::int32_t) -> Augmentation {
    throw Error("bad draw", "here", "");
  };
  Loader loader(split_, split_, transform_, {bad, {}}, requests_of({request(0, 0, {1})}), with(1, 1));
  EXPECT_THROW(loader.next(), Error);
}

TEST_F(Loaders, ThrowWhatTheRequestsMet) {
  const auto bad = []() -> std::optional<BatchRequest> { throw Error("no plan", "", ""); };
  Loader loader(split_, split_, transform_, {whole_image, {}}, bad, with(1, 1));
  EXPECT_THROW(loader.next(), Error);
}

TEST_F(Loaders, LeaveNormalisationToTheDeviceWithinHalfAGreyLevel) {
  Loader exact(split_, split_, transform_, {whole_image, {}}, requests_of({request(0, 0, {5, 3, 40})}), with(1, 1));
  Loader pixels(split_, split_, transform_, {whole_image, {}}, requests_of({request(0, 0, {5, 3, 40})}),
                with(1, 1, SlotType::uint8));
  const at::Tensor a = exact.next()->images, b = pixels.next()->images;
  EXPECT_EQ(b.scalar_type(), at::kFloat);
  EXPECT_TRUE(b.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LE(a.sub(b).abs().max().item<float>(), 0.5f / 255 + 1e-6f);
}

TEST_F(Loaders, MixPartnersByTheirOwnDraws) {
  BatchRequest mixed = request(2, 7, {10, 11, 12});
  mixed.mixed = true;
  mixed.before = SampleUse{30, 1};
  const auto share = [](std::int64_t epoch, std::int64_t id, std::int32_t) {
    return Mix{static_cast<float>(id + epoch) / 100, 0, 0, 0, 0};
  };
  Loader plain(split_, split_, transform_, {whole_image, {}}, requests_of({request(2, 7, {10, 11, 12, 30})}),
               with(1, 1));
  Loader loader(split_, split_, transform_, {whole_image, share}, requests_of({mixed}), with(2, 1));
  const at::Tensor before = plain.next()->images;
  const Batch batch = *loader.next();
  const std::vector<std::array<std::int64_t, 3>> pairs = {{0, 3, 30}, {1, 2, 12}, {2, 1, 11}};
  for (const auto& [own, partner, position] : pairs) {
    const float s = static_cast<float>(split_.id(mixed.positions[static_cast<std::size_t>(own)]) + 2) / 100;
    EXPECT_EQ(batch.own_share[own].item<float>(), s);
    EXPECT_EQ(batch.partner_labels[own].item<std::int64_t>(), split_.label(position));
    const at::Tensor expected = before[own].mul(s).add(before[partner].mul(1 - s));
    EXPECT_TRUE(batch.images[own].allclose(expected, 0, 1e-6)) << own;
  }
}

TEST_F(Loaders, LeaveTheLastOfAnOddNumberUnmixed) {
  BatchRequest mixed = request(0, 0, {10, 11, 12});
  mixed.mixed = true;
  const auto half = [](std::int64_t, std::int64_t, std::int32_t) { return Mix{0.5f, 0, 0, 0, 0}; };
  Loader plain(split_, split_, transform_, {whole_image, {}}, requests_of({request(0, 0, {12})}), with(1, 1));
  Loader loader(split_, split_, transform_, {whole_image, half}, requests_of({mixed}), with(1, 1));
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.own_share[2].item<float>(), 1);
  EXPECT_EQ(batch.partner_labels[2].item<std::int64_t>(), split_.label(12));
  EXPECT_TRUE(batch.images[2].equal(plain.next()->images[0]));
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
