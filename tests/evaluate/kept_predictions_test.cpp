#include "lockstep/evaluate/kept_predictions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/hdf5.hpp"
#include "lockstep/evaluate/full_metrics.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

const std::vector<std::string> classes{"ant", "bee", "cow"};

SplitPredictions some(const std::string& split, bool single_precision = true) {
  return {split,
          "best",
          "0123456789abcdef",
          {2, 5, 9},
          {0, 1, 1},
          {0, 2, 1},
          {1.5, 0.25, -1, 0.1, 0.2, single_precision ? 0.5 : 0.3, -2, 4, 1e-3},
          single_precision,
          "fedcba9876543210"};
}

/// As a file keeps them.
SplitPredictions rounded(SplitPredictions split) {
  if (split.single_precision) {
    for (double& score : split.scores) score = static_cast<float>(score);
  }
  return split;
}

void expect_equal(const SplitPredictions& found, const SplitPredictions& expected) {
  EXPECT_EQ(found.split, expected.split);
  EXPECT_EQ(found.weights, expected.weights);
  EXPECT_EQ(found.weights_digest, expected.weights_digest);
  EXPECT_EQ(found.data_digest, expected.data_digest);
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_EQ(found.labels, expected.labels);
  EXPECT_EQ(found.predicted, expected.predicted);
  EXPECT_EQ(found.scores, expected.scores);
  EXPECT_EQ(found.single_precision, expected.single_precision);
}

class KeptPredictionFiles : public ::testing::Test {
 protected:
  /// What reading says of the file after `change`, which is made before the checksum is.
  template <typename Change>
  std::string refusal(const Change& change) {
    SplitPredictions split = rounded(some("test"));
    change(split);
    write_predictions(file_, {classes, {split}});
    return refusal();
  }
  std::string refusal() const {
    try {
      read_predictions(file_);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "predictions.h5";
};

TEST_F(KeptPredictionFiles, ComeBackExactlyWithAnyNameOfASplit) {
  const std::vector<std::string> names{"test", "test of /data/100% of it", "..", "validation, test-time flips both"};
  KeptPredictions kept{classes, {}};
  for (const std::string& name : names) kept.splits.push_back(rounded(some(name, name != "..")));
  write_predictions(file_, kept);
  const KeptPredictions found = read_predictions(file_);
  EXPECT_EQ(found.classes, classes);
  ASSERT_EQ(found.splits.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) expect_equal(found.splits[i], kept.splits[i]);
  const std::string once = read_file(file_);
  write_predictions(file_, found);
  EXPECT_EQ(read_file(file_), once);
}

TEST_F(KeptPredictionFiles, GiveTheMetricsOfTheScoresThatWereKept) {
  const SplitPredictions before = rounded(some("test"));
  write_predictions(file_, {classes, {before}});
  const KeptPredictions kept = read_predictions(file_);
  const auto json = [](const SplitPredictions& split) {
    return metrics_object(full_metrics(split.judged(), classes, {}), classes);
  };
  EXPECT_EQ(json(kept.splits[0]), json(before));
  EXPECT_EQ(kept.splits[0].judged().predictions[1].rank, 1) << "behind the winner alone";
}

TEST_F(KeptPredictionFiles, RefuseScoresWhoseDifferenceIsNoNumber) {
  SplitPredictions split = some("test");
  split.single_precision = false;
  split.scores[0] = 1e308;
  split.scores[1] = -1e308;
  write_predictions(file_, {classes, {split}});
  EXPECT_NE(refusal().find("too far apart"), std::string::npos) << refusal();
}

TEST_F(KeptPredictionFiles, KeepSplitsSideBySide) {
  EXPECT_EQ(keep_predictions(file_, classes, rounded(some("validation"))), "");
  EXPECT_EQ(keep_predictions(file_, classes, rounded(some("test"))), "");
  SplitPredictions anew = rounded(some("validation"));
  anew.weights = "last";
  EXPECT_EQ(keep_predictions(file_, classes, anew), "");
  const KeptPredictions kept = read_predictions(file_);
  ASSERT_EQ(kept.splits.size(), 2u);
  expect_equal(kept.splits[0], anew);
  expect_equal(kept.split("test", file_), rounded(some("test")));
  EXPECT_EQ(kept.find("train"), nullptr);
  EXPECT_THROW(kept.split("train", file_), Error);
}

TEST_F(KeptPredictionFiles, ReplaceWhatCannotBeRead) {
  write_file_atomically(file_, "no HDF5");
  EXPECT_NE(keep_predictions(file_, classes, some("test")), "");
  EXPECT_EQ(read_predictions(file_).splits.size(), 1u);
  EXPECT_NE(keep_predictions(file_, {"ant", "bee", "dog"}, some("validation")).find("'cow'"), std::string::npos);
  EXPECT_EQ(read_predictions(file_).splits.size(), 1u) << "those of other classes are gone";
}

TEST_F(KeptPredictionFiles, RefuseWhatDoesNotHoldTogether) {
  EXPECT_EQ(refusal([](SplitPredictions&) {}), "no error");
  EXPECT_NE(refusal([](auto& split) { split.labels[1] = 3; }).find("class 3 of sample 5, there are 3"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& split) { split.labels[0] = -1; }).find("class -1 of sample 2"), std::string::npos);
  EXPECT_NE(refusal([](auto& split) { split.predicted[2] = 7; }).find("class 7 of sample 9"), std::string::npos);
  EXPECT_NE(refusal([](auto& split) { split.ids[1] = 2; }).find("ids that do not rise"), std::string::npos);
  EXPECT_NE(refusal([](auto& split) { split.labels.pop_back(); }).find("3 ids, 2 labels"), std::string::npos);
  EXPECT_NE(refusal([](auto& split) { split.scores[4] = std::nan(""); }).find("score of sample 5 is nan"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& split) { split.scores.resize(6); }).find("of shape [2, 3]"), std::string::npos);
  EXPECT_NE(refusal([](auto& split) {
              split = {split.split, "best", "0", {}, {}, {}, {}, true, "0"};
            }).find("predictions.h5:/test"),
            std::string::npos);
}

TEST_F(KeptPredictionFiles, RefuseDamageAnywhere) {
  write_predictions(file_, {classes, {rounded(some("test"))}});
  const std::string whole = read_file(file_);
  int refused = 0, unchanged = 0;
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x21);
    std::ofstream(file_, std::ios::binary) << damaged;
    if (refusal() != "no error") {
      ++refused;
      continue;
    }
    ++unchanged;  // padding and HDF5's own unused bytes
    expect_equal(read_predictions(file_).splits.at(0), rounded(some("test")));
  }
  EXPECT_GT(refused, 20);
  EXPECT_GT(unchanged, 20);
  write_file_atomically(file_, whole.substr(0, whole.size() - 9));
  EXPECT_NE(refusal(), "no error");
}

TEST_F(KeptPredictionFiles, RefuseOtherVersionsAndOtherFiles) {
  EXPECT_NE(refusal().find("no such predictions"), std::string::npos);
  hdf5::File file = hdf5::File::create(file_);
  file.write_attribute("format_version", 2);
  file.close();
  EXPECT_NE(refusal().find("format version 2, this program reads 1"), std::string::npos) << refusal();
  EXPECT_NE(refusal().find("evaluate the run again"), std::string::npos) << refusal();
  write_file_atomically(file_, "id,label\n1,a\n");
  EXPECT_NE(refusal().find("cannot open as HDF5"), std::string::npos) << refusal();
}

TEST_F(KeptPredictionFiles, AreToldFromTables) {
  EXPECT_TRUE(is_kept_predictions("any/where.H5"));
  write_predictions(file_, {classes, {some("test")}});
  std::filesystem::rename(file_, folder_.path() / "renamed");
  EXPECT_TRUE(is_kept_predictions(folder_.path() / "renamed"));
  write_file_atomically(folder_.path() / "p.csv", "id,label\n");
  EXPECT_FALSE(is_kept_predictions(folder_.path() / "p.csv"));
  EXPECT_FALSE(is_kept_predictions(folder_.path() / "none.csv"));
}

TEST_F(KeptPredictionFiles, GiveWayToNewOnesWhereAnotherSplitIsDamaged) {
  write_predictions(file_, {classes, {rounded(some("validation")), rounded(some("test"))}});
  std::string content = read_file(file_);
  const double score = rounded(some("test")).scores[1];
  const auto bits = static_cast<float>(score);
  const std::size_t at = content.rfind(std::string(reinterpret_cast<const char*>(&bits), sizeof bits));
  ASSERT_NE(at, std::string::npos);
  content[at] = static_cast<char>(content[at] ^ 1);
  write_file_atomically(file_, content);
  EXPECT_NE(keep_predictions(file_, classes, rounded(some("validation"))).find("checksum"), std::string::npos);
  EXPECT_EQ(read_predictions(file_).splits.size(), 1u);
  EXPECT_EQ(read_file(set_aside(file_)), content) << "nothing is lost";
}

TEST_F(KeptPredictionFiles, StayAsTheyAreWhereWritingFails) {
  write_predictions(file_, {classes, {rounded(some("test"))}});
  const std::string before = read_file(file_);
  EXPECT_THROW(keep_predictions(file_, classes, some("classes")), Error) << "there is a column of that name";
  EXPECT_EQ(read_file(file_), before);
  EXPECT_FALSE(std::filesystem::exists(set_aside(file_)));
}

}  // namespace
}  // namespace lockstep
