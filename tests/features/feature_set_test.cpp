// Features: the same files whoever computes them, the network's own values when they are read, and damage is seen.
#include "lockstep/features/feature_set.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/data/loader.hpp"
#include "lockstep/features/feature_feed.hpp"
#include "lockstep/features/frozen_prefix.hpp"
#include "lockstep/model/freezing.hpp"
#include "lockstep/model/make_model.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

class Features : public ::testing::Test {
 protected:
  static constexpr std::int64_t side = 8, views = 2;

  static ModelConfig network(double frozen, double dropout = 0) {
    ModelConfig config;
    config.custom = {{4, 6, 5}, {3, 3, 3}, {7}, std::vector(4, Activation::relu), std::vector(3, dropout), {0}, true};
    config.freeze = {frozen, FreezeBy::modules, true};
    return config;
  }
  static std::shared_ptr<Model> frozen_model(double share, double dropout = 0) {
    const ModelConfig config = network(share, dropout);
    auto model = make_model(config, {3, side, 3}, 5);
    freeze(*model, config.freeze);
    return model;
  }

  Augmentation look(std::int64_t view, std::int64_t id) const {
    Augmentation augmentation;
    augmentation.crop = centre_crop(side, side, side, side);
    augmentation.flip = view == 1 && id % 2 == 0;
    return augmentation;
  }
  FeatureViews how() const {
    return {split_, transform_, views, [this](std::int64_t view, std::int64_t id) { return look(view, id); }};
  }
  FeatureSet set_in(const std::string& name, Model& model, std::size_t stages) const {
    fs::create_directories(folder_ / name);
    return {folder_ / name, "train", split_.samples(), views, feature_shape(model, stages, how())};
  }
  static std::map<std::string, std::string> digests(const fs::path& folder) {
    std::map<std::string, std::string> digests;
    for (const auto& file : fs::directory_iterator(folder))
      digests[file.path().filename().string()] = file_digest(file.path());
    return digests;
  }

  testing::TemporaryFolder folder_;
  Manifest manifest_ = testing::write_tiny_data_set(folder_.path());
  DataSplit split_{folder_.path(), manifest_, "train"};
  ImageTransform transform_{manifest_.shape, side, channel_scale(Normalisation::standardise, manifest_)};
};

TEST_F(Features, ThePrefixEndsBeforeWhatTrainsAndBeforeDropout) {
  EXPECT_EQ(frozen_stages(*frozen_model(0)), 0u);
  const std::size_t most = frozen_stages(*frozen_model(0.99));
  EXPECT_EQ(most + 1, frozen_model(0)->stages().size()) << "the last stage trains";
  EXPECT_LT(frozen_stages(*frozen_model(0.5)), most);
  EXPECT_GT(frozen_stages(*frozen_model(0.5)), 0u);
  const auto dropping = frozen_model(0.99, 0.3);
  EXPECT_LT(frozen_stages(*dropping), most);
  EXPECT_TRUE(dropping->stages()[frozen_stages(*dropping)].drops);
}

TEST_F(Features, TheDigestSeesEveryWeightOfThePrefixAndNoOther) {
  const auto model = frozen_model(0.5);
  const std::size_t stages = frozen_stages(*model);
  const std::string before = prefix_digest(*model, stages);
  EXPECT_EQ(prefix_digest(*frozen_model(0.5), stages), before);
  std::size_t inside = 0, outside = 0;
  for (const auto& [name, tensor] : state_of(*model)) {
    if (!tensor.is_floating_point()) continue;
    const at::NoGradGuard no_grad;
    at::Tensor last = tensor.narrow(0, tensor.size(0) - 1, 1);
    const at::Tensor kept = last.clone();
    last.add_(0.5);
    bool of_prefix = false;
    for (std::size_t i = 0; i < stages; ++i) of_prefix |= model->stages()[i].owns(name);
    EXPECT_EQ(prefix_digest(*model, stages) != before, of_prefix) << name;
    (of_prefix ? inside : outside) += 1;
    last.copy_(kept);
  }
  EXPECT_GT(inside, 0u);
  EXPECT_GT(outside, 0u);
}

TEST_F(Features, FilesDoNotDependOnWhoComputesThem) {
  const auto model = frozen_model(0.5);
  const std::size_t stages = frozen_stages(*model);
  const FeatureSet alone = set_in("alone", *model, stages);
  EXPECT_EQ(alone.missing_bytes(), alone.bytes());
  EXPECT_EQ(alone.build(*model, stages, how(), {0, 1, 1}), split_.samples() * views);
  EXPECT_EQ(alone.missing_bytes(), 0);
  const auto expected = digests(folder_ / "alone");
  EXPECT_EQ(expected.size(), 2u) << "a shard for each view";
  for (const std::int64_t threads : {1, 3}) {
    const std::string name = "shared" + std::to_string(threads);
    const FeatureSet shared = set_in(name, *model, stages);
    for (std::int64_t rank = 2; rank >= 0; --rank) shared.build(*model, stages, how(), {rank, 3, threads});
    EXPECT_EQ(digests(folder_ / name), expected) << threads;
    EXPECT_EQ(shared.build(*model, stages, how(), {0, 1, threads}), 0) << "all is there";
  }
}

TEST_F(Features, AFeedGivesWhatTheNetworkMakesOfTheImages) {
  const auto model = frozen_model(0.5);
  const std::size_t stages = frozen_stages(*model);
  FeatureSet features = set_in("features", *model, stages);
  features.build(*model, stages, how(), {0, 1, 2});
  features.open();
  const auto requests = [] {
    return [next = std::int64_t{0}]() mutable -> std::optional<BatchRequest> {
      if (next == 3) return std::nullopt;
      BatchRequest request;
      request.epoch = request.step = next++;
      if (next < 3) request.positions = {52, 0, 7 * next, 7};
      if (next == 2) request.copies = {0, 1, 2, 1};
      return request;
    };
  };
  FeatureFeed feed(features, split_, requests(), c10::Device(c10::kCPU));
  const SampleDraws draws{[&](std::int64_t epoch, std::int64_t id, std::int32_t copy) {
                            return look(fixed_view(epoch, copy, views), id);
                          },
                          {}};
  Loader images(split_, split_, transform_, draws, requests(), {1, 1});
  for (int batch = 0; batch < 3; ++batch) {
    const auto found = feed.next(), expected = images.next();
    ASSERT_TRUE(found && expected);
    EXPECT_EQ(found->ids, expected->ids);
    EXPECT_TRUE(found->labels.equal(expected->labels));
    const at::NoGradGuard no_grad;
    const at::Tensor made = model->forward_stages(expected->images, BatchContext(), 0, stages);
    ASSERT_EQ(found->images.sizes(), made.sizes());
    EXPECT_TRUE(at::allclose(found->images, made, 1e-5, 1e-6)) << batch;
    EXPECT_TRUE(found->images.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
  EXPECT_FALSE(feed.next());
  EXPECT_FALSE(feed.next());
}

TEST_F(Features, DamagedAndMissingFilesAreNamed) {
  const auto model = frozen_model(0.5);
  const std::size_t stages = frozen_stages(*model);
  FeatureSet features = set_in("damaged", *model, stages);
  features.build(*model, stages, how(), {0, 1, 1});
  features.open();
  const fs::path file = folder_ / "damaged/train-v1-00000.h5";
  std::vector<float> values(static_cast<std::size_t>(features.shape().elements()));
  features.read(1, 52, values);
  const std::string found(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  std::string bytes(fs::file_size(file), '\0');
  std::fstream(file, std::ios::in | std::ios::binary).read(bytes.data(), std::ssize(bytes));
  const std::size_t at = bytes.find(found);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 2] = static_cast<char>(bytes[at + 2] ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
  FeatureSet again = set_in("damaged", *model, stages);
  again.open();
  EXPECT_NO_THROW(again.read(1, 51, values));
  try {
    again.read(1, 52, values);
    FAIL() << "a changed bit passes";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("train-v1-00000.h5"), std::string::npos) << error.what();
  }
  fs::resize_file(file, fs::file_size(file) / 2);
  FeatureSet cut = set_in("damaged", *model, stages);
  EXPECT_THROW(cut.open(), Error);
  fs::remove(file);
  FeatureSet gone = set_in("damaged", *model, stages);
  EXPECT_THROW(gone.open(), Error);
}

TEST_F(Features, ValuesThatAreNotFiniteAreAnErrorAndLeaveNoFile) {
  const auto model = frozen_model(0.5);
  const std::size_t stages = frozen_stages(*model);
  const FeatureSet features = set_in("nan", *model, stages);
  {
    const at::NoGradGuard no_grad;
    model->parameters()[0].fill_(std::numeric_limits<float>::infinity());
  }
  EXPECT_THROW(features.build(*model, stages, how(), {0, 1, 2}), Error);
  EXPECT_TRUE(fs::is_empty(folder_ / "nan"));
}

}  // namespace
}  // namespace lockstep
