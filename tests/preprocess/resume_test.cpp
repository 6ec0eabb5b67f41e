// Going on with an unfinished packing, finding a finished one, and adding to it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/data/image_table.hpp"
#include "packing_test.hpp"

namespace lockstep::preprocess {
namespace {
namespace fs = std::filesystem;

/// Sets of two stores. Images of 256 × 256 pixels, five in a shard of raw bytes.
class ResumeTest : public PackingTest, public ::testing::WithParamInterface<const char*> {
 protected:
  Values values(Values more = {}) const {
    more.insert({{"side", "256"}, {"shard-mib", "1"}, {"threads", "1"}, {"store", GetParam()}});
    return more;
  }
  /// Packs until a damaged image of the last shards ends it; repairs that image. Several shards are finished then.
  void pack_half(const std::string& output) {
    const std::string good = read_file(folder_ / "in/b/9.jpg");
    folder_.file("in/b/9.jpg", good.substr(0, good.size() / 2));
    EXPECT_CONTAINS(failure(output, values({{"strict", "true"}})), "an image cannot be used");
    folder_.file("in/b/9.jpg", good);
    EXPECT_FALSE(fs::exists(folder_ / output / "manifest.json"));
    EXPECT_GE(records(output).size(), 2u);
  }
  std::vector<fs::path> records(const std::string& output) const {
    std::vector<fs::path> found;
    if (!fs::exists(folder_ / output / ".packing")) return found;
    for (const auto& entry : fs::directory_iterator(folder_ / output / ".packing")) {
      if (entry.path().extension() == ".record") found.push_back(entry.path());
    }
    std::ranges::sort(found);
    return found;
  }
  /// Time of the last change: tells whether a file was written again.
  fs::file_time_type time_of(const std::string& file) const { return fs::last_write_time(folder_ / file); }

  void expect_same_as_uninterrupted(const std::string& output) {
    pack_into(output, values());
    EXPECT_FALSE(fs::exists(folder_ / output / ".packing"));
    pack_into("fresh", values());
    EXPECT_EQ(differing_files(output, "fresh"), std::vector<std::string>{});
  }
};

TEST_P(ResumeTest, GoesOnWhereItWas) {
  make_images(12);
  pack_half("out");
  const auto before = time_of("out/shards/train-00000.h5");
  expect_same_as_uninterrupted("out");
  EXPECT_EQ(time_of("out/shards/train-00000.h5"), before) << "packed again";
}

TEST_P(ResumeTest, ChangedImagesArePackedAgain) {
  make_images(12);
  pack_half("out");
  const auto before = time_of("out/shards/train-00000.h5");
  for (int i = 0; i < 4; ++i) folder_.file("in/a/" + std::to_string(i) + ".png", encoded(".png", {50, 30}, 90 + i));
  expect_same_as_uninterrupted("out");
  EXPECT_NE(time_of("out/shards/train-00000.h5"), before);
}

TEST_P(ResumeTest, NewAndRemovedImagesMoveTheOthers) {
  make_images(12);
  pack_half("out");
  fs::remove(folder_ / "in/a/3.png");
  folder_.file("in/a/0a.png", encoded(".png", {50, 30}, 7));
  expect_same_as_uninterrupted("out");
}

TEST_P(ResumeTest, ShardsAndRecordsThatAreNotWholeArePackedAgain) {
  make_images(12);
  pack_half("out");
  fs::resize_file(folder_ / "out/shards/train-00000.h5", 5000);
  folder_.file("out/.packing/train-00001.record", "no record");
  folder_.file("out/shards/.train-00002.h5.partial", "half");
  folder_.file("out/.packing/.train-00002.record.partial", "half");
  expect_same_as_uninterrupted("out");
}

TEST_P(ResumeTest, LostShardsArePackedAgain) {
  make_images(12);
  pack_half("out");
  fs::remove(folder_ / "out/shards/train-00000.h5");
  fs::remove(records("out").back());
  expect_same_as_uninterrupted("out");
}

TEST_P(ResumeTest, OtherSettingsAreAnErrorThatSaysWhich) {
  make_images(12);
  pack_half("out");
  const std::string text = failure("out", values({{"side", "128"}, {"seed", "3"}}));
  EXPECT_CONTAINS(text,
                  "an unfinished packing with other settings is here: seed 0, now 3, side 256 × 256 × 3, now 128");
  EXPECT_GE(records("out").size(), 2u);
}

TEST_P(ResumeTest, FinishedIsNothingToDo) {
  make_images(6);
  pack_into("out", values());
  const auto manifest = time_of("out/manifest.json"), table = time_of("out/images.h5");
  folder_.file("out/.packing/train-00000.record", "left by a kill at the very end");
  pack_into("out", values());
  EXPECT_EQ(time_of("out/manifest.json"), manifest);
  EXPECT_EQ(time_of("out/images.h5"), table);
  EXPECT_FALSE(fs::exists(folder_ / "out/.packing"));
}

TEST_P(ResumeTest, CopiesOfTheSameImagesAreTheSame) {
  make_images(6);
  folder_.file("in/a/broken.png", "not a picture");
  pack_into("out", values());
  fs::copy(folder_ / "in", folder_ / "copy", fs::copy_options::recursive);
  const auto manifest = time_of("out/manifest.json");
  pack_into("out", values({{"input", (folder_ / "copy").string()}}));
  EXPECT_EQ(time_of("out/manifest.json"), manifest);
}

TEST_P(ResumeTest, AChangedInputIsAnErrorThatNamesIt) {
  make_images(6);
  pack_into("out", values());
  folder_.file("in/a/new.png", encoded(".png", {30, 30}, 5));
  EXPECT_CONTAINS(failure("out", values()), "its input has changed since: 1 new (a/new.png)");
  EXPECT_CONTAINS(failure("out", values()), "--add packs the new images beside it");
  fs::remove(folder_ / "in/a/0.png");
  folder_.file("in/b/2.jpg", encoded(".jpg", {33, 44}, 1));
  for (const char* add : {"false", "true"}) {
    EXPECT_CONTAINS(failure("out", values({{"add", add}})), "1 new (a/new.png), 1 gone (a/0.png), 1 changed (b/2.jpg)");
  }
}

TEST_P(ResumeTest, OtherFilesOfTheSameTimeAreSeenByTheirSize) {
  make_images(6);
  pack_into("out", values());
  const fs::path image = folder_ / "in/b/2.jpg";
  const auto time = fs::last_write_time(image);
  const auto size = fs::file_size(image);
  folder_.file("in/b/2.jpg", encoded(".jpg", {90, 80}, 1));
  ASSERT_NE(fs::file_size(image), size);
  fs::last_write_time(image, time);
  EXPECT_CONTAINS(failure("out", values()), "1 changed (b/2.jpg)");
  EXPECT_CONTAINS(failure("out", values({{"add", "true"}})), "1 changed (b/2.jpg)");
}

TEST_P(ResumeTest, AddPutsNewImagesBehindTheOld) {
  make_images(8);
  pack_into("out", values());
  const auto old_rows = read_image_table(folder_ / "out/images.h5");
  const std::string old_shard = read_file(folder_ / "out/shards/train-00000.h5");
  for (int i = 0; i < 9; ++i) folder_.file("in/aa/" + std::to_string(i) + ".png", encoded(".png", {30, 30}, 5 * i));
  folder_.file("in/a/new.png", "not a picture");
  const Manifest manifest = pack_into("out", values({{"add", "true"}}));
  EXPECT_EQ(manifest.classes, (std::vector<std::string>{"a", "b", "aa"})) << "labels stay";
  EXPECT_EQ(read_file(folder_ / "out/shards/train-00000.h5"), old_shard);
  const auto rows = read_image_table(folder_ / "out/images.h5");
  ASSERT_EQ(rows.size(), old_rows.size() + 10);
  EXPECT_TRUE(std::equal(old_rows.begin(), old_rows.end(), rows.begin()));
  EXPECT_EQ(rows[16].path, "a/new.png");
  EXPECT_EQ(rows[16].status, ImageStatus::refused);
  EXPECT_EQ(rows[17].path, "aa/0.png");
  std::vector<std::int64_t> counts(3);
  for (const SplitEntry& split : manifest.splits) {
    EXPECT_GT(split.class_counts[2], 0) << split.name;
    for (std::size_t label = 0; label < 3; ++label) counts[label] += split.class_counts[label];
    for (const Shard& shard : shards("out", manifest, split.name)) {
      for (std::int64_t i = 0; i < shard.samples(); ++i) {
        const ImageRow& row = rows.at(static_cast<std::size_t>(shard.id(i)));
        EXPECT_EQ(row.label, shard.label(i)) << row.path;
        EXPECT_EQ(row.split, split.name);
      }
    }
  }
  EXPECT_EQ(counts, (std::vector<std::int64_t>{8, 8, 9}));
  EXPECT_EQ(manifest.status_counts.at("refused"), 1);
  const auto time = time_of("out/manifest.json");
  pack_into("out", values({{"add", "true"}}));
  pack_into("out", values());
  EXPECT_EQ(time_of("out/manifest.json"), time) << "nothing to do after that";
}

TEST_P(ResumeTest, MeanAndStdAreThoseOfAllAtOnce) {
  make_images(5);
  const Values all_training = values({{"validation", "0"}, {"test", "0"}});
  pack_into("out", all_training);
  for (int i = 0; i < 3; ++i) folder_.file("in/b/new" + std::to_string(i) + ".png", encoded(".png", {30, 30}, 70 * i));
  Values add = all_training;
  add["add"] = "true";
  const Manifest added = pack_into("out", add), at_once = pack_into("fresh", all_training);
  EXPECT_EQ(added.mean, at_once.mean);
  EXPECT_EQ(added.std, at_once.std);
  EXPECT_EQ(added.sums, at_once.sums);
  EXPECT_EQ(added.split("train").class_counts, at_once.split("train").class_counts);
}

TEST_P(ResumeTest, GivenSplitsStayGivenForWhatIsAdded) {
  for (const char* name : {"train/a/1", "train/b/2", "val/a/3"})
    folder_.file("in/" + std::string(name) + ".png", encoded(".png", {30, 30}, 9));
  pack_into("out", values());
  for (int i = 0; i < 9; ++i) folder_.file("in/train/a/n" + std::to_string(i) + ".png", encoded(".png", {30, 30}, i));
  const Manifest manifest = pack_into("out", values({{"add", "true"}}));
  EXPECT_EQ(manifest.split("train").samples, 11);
  EXPECT_EQ(manifest.split("validation").samples, 1);
}

TEST_P(ResumeTest, AnInterruptedAddLeavesTheOldSetAndGoesOn) {
  make_images(6);
  pack_into("out", values());
  const std::string manifest = read_file(folder_ / "out/manifest.json");
  for (int i = 0; i < 20; ++i) folder_.file("in/a/n" + std::to_string(i) + ".png", encoded(".png", {30, 30}, 9 * i));
  fs::copy(folder_ / "out", folder_ / "fresh", fs::copy_options::recursive);
  const std::string good = read_file(folder_ / "in/a/n9.png");
  folder_.file("in/a/n9.png", "damaged");
  EXPECT_CONTAINS(failure("out", values({{"add", "true"}, {"strict", "true"}})), "a/n9.png");
  EXPECT_EQ(read_file(folder_ / "out/manifest.json"), manifest);
  EXPECT_EQ(shards("out", Manifest::load(folder_ / "out"), "train").size(), 2u);
  folder_.file("in/a/n9.png", good);
  pack_into("out", values({{"add", "true"}}));
  pack_into("fresh", values({{"add", "true"}}));
  EXPECT_EQ(differing_files("out", "fresh"), std::vector<std::string>{});
}

TEST_P(ResumeTest, RowsOfAnUnfinishedAddCountForNothing) {
  make_images(6);
  pack_into("out", values());
  const std::string manifest = read_file(folder_ / "out/manifest.json");
  folder_.file("in/a/new.png", encoded(".png", {30, 30}, 5));
  pack_into("out", values({{"add", "true"}}));
  fs::copy(folder_ / "out", folder_ / "whole", fs::copy_options::recursive);
  folder_.file("out/manifest.json", manifest);  // as a kill between the two leaves it
  EXPECT_CONTAINS(failure("out", values()), "1 new (a/new.png)");
  pack_into("out", values({{"add", "true"}}));
  EXPECT_EQ(differing_files("out", "whole"), std::vector<std::string>{});
}

TEST_P(ResumeTest, AddNeedsADataSetAndItsSettings) {
  make_images(4);
  EXPECT_CONTAINS(failure("out", values({{"add", "true"}})), "no data set to add to");
  pack_into("out", values());
  folder_.file("in/a/new.png", encoded(".png", {30, 30}, 5));
  EXPECT_CONTAINS(failure("out", values({{"add", "true"}, {"resize", "pad"}})), "resize crop, now pad");
  EXPECT_CONTAINS(failure("out", values({{"add", "true"}, {"resize", "pad"}})), "--add needs the settings");
}

INSTANTIATE_TEST_SUITE_P(Stores, ResumeTest, ::testing::Values("raw", "jpeg"),
                         [](const auto& store) { return std::string(store.param); });

using ReopenTest = PackingTest;

TEST_F(ReopenTest, AddedShardsAreNumberedBehindGaps) {
  const auto name = [](int i) { return fmt::format("in/a/{:02}.png", i); };
  const Values values = {{"side", "256"}, {"shard-mib", "1"}, {"validation", "0"}, {"test", "0"}};
  for (int i = 0; i < 15; ++i) folder_.file(name(i), i / 5 == 1 ? "not a picture" : encoded(".png", {20 + i, 30}, i));
  const auto files = [](const Manifest& manifest) {
    std::vector<std::string> found;
    for (const ShardEntry& shard : manifest.split("train").shards) found.push_back(shard.file);
    return found;
  };
  const std::vector<std::string> first = {"shards/train-00000.h5", "shards/train-00002.h5"};
  ASSERT_EQ(files(pack_into("out", values)), first);
  const std::string last = read_file(folder_ / "out/shards/train-00002.h5");
  for (int i = 15; i < 18; ++i) folder_.file(name(i), encoded(".png", {20 + i, 30}, i));
  Values add = values;
  add["add"] = "true";
  const Manifest manifest = pack_into("out", add);
  EXPECT_EQ(files(manifest), (std::vector<std::string>{first[0], first[1], "shards/train-00003.h5"}));
  EXPECT_EQ(read_file(folder_ / "out/shards/train-00002.h5"), last);
  EXPECT_EQ(shards("out", manifest, "train").size(), 3u) << "whole, by their checksums";
}

TEST_F(ReopenTest, SmallAdditionsKeepTheShares) {
  make_images(10);
  Manifest manifest = pack_into("out");
  for (int i = 0; i < 40; i += 4) {
    for (int j = i; j < i + 4; ++j)
      folder_.file("in/a/n" + std::to_string(j) + ".png", encoded(".png", {30, 30 + j}, 5 * j));
    manifest = pack_into("out", {{"add", "true"}});
  }
  // of 50: 10 % for the test, a fifth of what is left for validation
  EXPECT_NEAR(static_cast<double>(manifest.split("test").class_counts[0]), 5, 1);
  EXPECT_NEAR(static_cast<double>(manifest.split("validation").class_counts[0]), 9, 1);
}

TEST_F(ReopenTest, GeneratedPicturesGrow) {
  const Values values = {{"source", "generated"}, {"images", "60"}};
  pack_into("out", values);
  const Manifest manifest = pack_into("out", {{"source", "generated"}, {"images", "90"}, {"add", "true"}});
  std::int64_t samples = 0;
  for (const SplitEntry& split : manifest.splits) samples += split.samples;
  EXPECT_EQ(samples, 90);
  EXPECT_CONTAINS(failure("out", values), "30 gone (generated:60");
}

TEST_F(ReopenTest, AutoKeepsItsChoice) {
  make_images(4);
  pack_into("out", {{"store", "auto"}});
  pack_into("out", {{"store", "auto"}});
  pack_into("out", {{"store", "raw"}});
  EXPECT_CONTAINS(failure("out", {{"store", "jpeg"}}), "store raw, now jpeg");
}

TEST_F(ReopenTest, OtherWeightsAreAnotherSet) {
  make_images(3);
  const auto table = [&](const std::string& weight) {
    folder_.file("in/set.csv", "id,label,w\na/0,x,1\na/1,y," + weight + "\n");
    return Values{{"source", "csv"}, {"input", (folder_ / "in/set.csv").string()}, {"csv-weight", "w"}};
  };
  pack_into("out", table("2"));
  pack_into("out", table("2"));
  EXPECT_CONTAINS(failure("out", table("3")), "with other weights of its samples");
  const auto more = [&](const std::string& weight) {
    Values values = table(weight + "\nb/1,x,7");
    values["add"] = "true";
    return values;
  };
  EXPECT_CONTAINS(failure("out", more("3")), "with other weights of its samples");
  EXPECT_CONTAINS(failure("out", more("3")), "the weights they had");
  EXPECT_EQ(failure("out", more("2")), "no error");
  EXPECT_EQ(failure("out", more("2")), "no error") << "nothing to do";
}

TEST_F(ReopenTest, SetsOfEarlierVersionsAreLeftAlone) {
  make_images(3);
  Manifest manifest = pack_into("out");
  manifest.sums.reset();
  manifest.save(folder_ / "out");
  EXPECT_CONTAINS(failure("out"), "packed by an earlier version");
  EXPECT_CONTAINS(failure("out", {{"add", "true"}}), "packed by an earlier version");
}

}  // namespace
}  // namespace lockstep::preprocess
