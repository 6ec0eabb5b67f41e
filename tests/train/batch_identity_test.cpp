// The bytes of a step's batch do not depend on ranks, threads, where a run was resumed or how samples are read.
#include <gtest/gtest.h>

#include <map>

#include "lockstep/config/options.hpp"
#include "support/tiny_data_set.hpp"
#include "train/training_input.hpp"

namespace lockstep {
namespace {

/// A global batch as bytes: pixels, labels, ids, and what was mixed in.
struct GlobalBatch {
  std::string images, labels, partners, shares;
  std::vector<std::int64_t> ids;
  bool operator==(const GlobalBatch&) const = default;
};

std::string bytes_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return "";
  const at::Tensor dense = tensor.dim() == 4 ? tensor.permute({0, 2, 3, 1}).contiguous() : tensor.contiguous();
  return {static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()};
}

/// Not an option of train: how the data set is packed.
constexpr const char* jpeg_set = "(a set of JPEG files)";

class BatchIdentity : public ::testing::TestWithParam<std::map<std::string, std::string>> {
 protected:
  BatchIdentity() {
    testing::TinyDataSet spec;
    spec.weighted = true;
    spec.jpeg = GetParam().contains(jpeg_set);
    manifest_ = testing::write_tiny_data_set(folder_.path(), spec);
  }

  RunConfig config(std::int64_t threads) const {
    std::map<std::string, std::string> all{{"data", folder_.path().string()},
                                           {"augment", "true"},
                                           {"rotation", "10"},
                                           {"colour-jitter", "0.2"},
                                           {"epochs", "3"},
                                           {"batch", "11"},
                                           {"threads", "1"},
                                           {"loader-threads", std::to_string(threads)}};
    for (const auto& [name, value] : GetParam()) all[name] = value;
    all.erase(jpeg_set);
    return RunConfig::from(Options::from_values(Command::train, all));
  }

  /// Global batches from the step `first` on, put together from the ranks' parts.
  std::vector<GlobalBatch> batches(int ranks, std::int64_t threads, std::int64_t first) const {
    Log log(0, ranks);
    log.quiet();
    std::vector<GlobalBatch> all;
    for (int rank = 0; rank < ranks; ++rank) {
      TrainingInput input(config(threads), manifest_, ranks, log);
      const std::unique_ptr<Loader> loader = input.load_from(first, rank, ranks, c10::Device(c10::kCPU));
      std::size_t step = 0;
      for (std::optional<Batch> batch = loader->next(); batch; batch = loader->next(), ++step) {
        all.resize(std::max(all.size(), step + 1));
        all[step].images += bytes_of(batch->images);
        all[step].labels += bytes_of(batch->labels);
        all[step].partners += bytes_of(batch->partner_labels);
        all[step].shares += bytes_of(batch->own_share);
        all[step].ids.insert(all[step].ids.end(), batch->ids.begin(), batch->ids.end());
      }
    }
    return all;
  }

  testing::TemporaryFolder folder_;
  Manifest manifest_;
};

std::vector<GlobalBatch> from(const std::vector<GlobalBatch>& batches, std::int64_t first) {
  return {batches.begin() + static_cast<std::ptrdiff_t>(first), batches.end()};
}

TEST_P(BatchIdentity, HoldsForRanksThreadsAndResumes) {
  const std::vector<GlobalBatch> whole = batches(1, 1, 0);
  ASSERT_GT(whole.size(), 10u);
  EXPECT_EQ(batches(1, 3, 0), whole);
  for (const int ranks : {2, 3, 4}) {
    const std::vector<GlobalBatch> found = batches(ranks, 2, 0);
    ASSERT_EQ(found.size(), whole.size());
    for (std::size_t step = 0; step < whole.size(); ++step) {
      ASSERT_EQ(found[step].ids, whole[step].ids) << ranks << " ranks, step " << step;
      ASSERT_TRUE(found[step] == whole[step]) << ranks << " ranks, step " << step;
    }
  }
  for (std::int64_t first = 1; first < std::ssize(whole); ++first) {
    ASSERT_TRUE(batches(1, 2, first) == from(whole, first)) << "resumed at " << first;
  }
  EXPECT_TRUE(batches(2, 1, 7) == from(whole, 7));
}

TEST_P(BatchIdentity, HasEverySampleOnceAnEpochUnlessWeighted) {
  const std::vector<GlobalBatch> found = batches(3, 2, 0);
  std::vector<std::int64_t> ids;
  for (std::size_t step = 0; step < found.size() / 3; ++step)
    ids.insert(ids.end(), found[step].ids.begin(), found[step].ids.end());
  ASSERT_EQ(ids.size(), 53u);
  if (GetParam().contains("sampling")) return;
  std::ranges::sort(ids);
  for (std::int64_t i = 0; i < 53; ++i) EXPECT_EQ(ids[static_cast<std::size_t>(i)], i);
}

using Settings = std::map<std::string, std::string>;
INSTANTIATE_TEST_SUITE_P(
    Modes, BatchIdentity,
    ::testing::Values(Settings{}, Settings{{"shuffle-window", "20"}},
                      Settings{{"shuffle-window", "64"}, {"batch", "7"}, {"cache", "none"}},
                      Settings{{"sampling", "balanced"}}, Settings{{"sampling", "weighted"}},
                      Settings{{"mixup", "0.4"}}, Settings{{"cutmix", "1"}, {"batch", "10"}},
                      Settings{{"mixup", "1"}, {"cutmix", "1"}, {"mix-probability", "0.7"}, {"sampling", "weighted"}},
                      Settings{{jpeg_set, ""}}, Settings{{jpeg_set, ""}, {"shuffle-window", "20"}, {"mixup", "1"}},
                      Settings{{"randaugment", "2,9"}, {"random-erasing", "0.5"}},
                      Settings{{"sampling", "balanced"}, {"mixup", "0.2"}, {"cutmix", "1"}},
                      Settings{{"mixup", "1"}, {"batch-norm-stats", "group:3"}},
                      Settings{{"mixup", "1"}, {"shuffle-window", "20"}},
                      Settings{{"loader-output", "uint8"}, {"cutmix", "0.5"}}));

}  // namespace
}  // namespace lockstep
