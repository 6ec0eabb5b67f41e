#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "lockstep/data/image_table.hpp"
#include "packing_test.hpp"
#include "preprocess/output_folder.hpp"
#include "preprocess/shard_job.hpp"

namespace lockstep::preprocess {
namespace {
namespace fs = std::filesystem;

using PackTest = PackingTest;

TEST_F(PackTest, MakesAWholeDataSet) {
  make_images(10);
  const Manifest manifest = pack_into("out");
  EXPECT_EQ(manifest.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(manifest.shape, (ImageShape{16, 16, 3}));
  EXPECT_EQ(manifest.split("test").samples, 2);
  EXPECT_EQ(manifest.split("validation").samples, 4);
  EXPECT_EQ(manifest.split("train").class_counts, (std::vector<std::int64_t>{7, 7}));
  const auto rows = read_image_table(folder_ / "out/images.h5");
  ASSERT_EQ(rows.size(), 20u);
  EXPECT_EQ(rows[3], (ImageRow{"a/3.png", rows[3].split, 0, 23, 30, ImageStatus::ok, "", rows[3].fingerprint,
                               rows[3].modified}));
  EXPECT_EQ(rows[3].fingerprint.bytes, static_cast<std::int64_t>(fs::file_size(folder_ / "in/a/3.png")));
  for (const SplitEntry& split : manifest.splits) {
    for (const Shard& shard : shards("out", manifest, split.name)) {
      for (std::int64_t i = 0; i < shard.samples(); ++i) {
        const ImageRow& row = rows.at(static_cast<std::size_t>(shard.id(i)));
        EXPECT_EQ(row.split, split.name);
        EXPECT_EQ(row.label, shard.label(i));
      }
    }
  }
}

TEST_F(PackTest, PixelsAreTheFittedPicture) {
  make_images(3);
  const Manifest manifest = pack_into("out", {{"side", "24"}, {"validation", "0"}, {"test", "0"}});
  const auto shard = std::move(shards("out", manifest, "train")[0]);
  std::vector<std::uint8_t> stored(24 * 24 * 3);
  shard.read(1, stored);
  cv::Mat picture = cv::imread((folder_ / "in/a/1.png").string());
  cv::Mat rgb(picture.size(), CV_8UC3);
  cv::mixChannels(picture, rgb, {0, 2, 1, 1, 2, 0});
  const cv::Mat expected = fit_picture(rgb, {24, 24}, Fit::crop);
  EXPECT_TRUE(std::equal(stored.begin(), stored.end(), expected.data));
}

TEST_F(PackTest, MeanAndStdAreThoseOfTheTrainingPixels) {
  make_images(6);
  const Manifest manifest = pack_into("out");
  double sum = 0, squares = 0, count = 0;
  for (const Shard& shard : shards("out", manifest, "train")) {
    std::vector<std::uint8_t> image(16 * 16 * 3);
    for (std::int64_t i = 0; i < shard.samples(); ++i) {
      shard.read(i, image);
      for (std::size_t at = 1; at < image.size(); at += 3) {
        sum += image[at];
        squares += image[at] * image[at];
        ++count;
      }
    }
  }
  EXPECT_NEAR(manifest.mean[1], sum / count, 1e-9);
  EXPECT_NEAR(manifest.std[1], std::sqrt(squares / count - sum / count * sum / count), 1e-9);
}

TEST_F(PackTest, ThreadsAndShardSizesChangeNoImage) {
  make_images(10);
  pack_into("one", {{"threads", "1"}});
  pack_into("many", {{"threads", "7"}});
  for (const char* file : {"manifest.json", "images.h5", "shards/train-00000.h5", "shards/test-00000.h5"}) {
    EXPECT_EQ(read_file(folder_ / ("one/" + std::string(file))), read_file(folder_ / ("many/" + std::string(file))))
        << file;
  }
}

TEST_F(PackTest, ShardsAreCutByTheirBytes) {
  const Manifest manifest = pack_into("out", {{"source", "generated"},
                                              {"images", "40"},
                                              {"side", "256"},
                                              {"shard-mib", "1"},
                                              {"test", "0"},
                                              {"validation", "0"}});
  const SplitEntry& train = manifest.split("train");  // 192 KiB an image: 5 a shard
  ASSERT_EQ(train.shards.size(), 8u);
  EXPECT_EQ(train.shards[7].file, "shards/train-00007.h5");
  EXPECT_EQ(shards("out", manifest, "train")[7].id(4), 39);
}

TEST_F(PackTest, DamagedImagesAreRecordedAndMoveNoOther) {
  make_images(10);
  const Manifest clean = pack_into("clean");
  const auto before = read_image_table(folder_ / "clean/images.h5");
  const std::string good = read_file(folder_ / "in/b/4.jpg");
  folder_.file("in/b/4.jpg", good.substr(0, good.size() - 50));
  const Manifest manifest = pack_into("out");
  EXPECT_EQ(manifest.status_counts.at("refused"), 1);
  EXPECT_EQ(manifest.status_counts.at("ok"), 19);
  const auto rows = read_image_table(folder_ / "out/images.h5");
  for (std::size_t id = 0; id < rows.size(); ++id) {
    if (rows[id].path == "b/4.jpg") {
      EXPECT_EQ(rows[id], (ImageRow{"b/4.jpg",
                                    "",
                                    1,
                                    0,
                                    0,
                                    ImageStatus::refused,
                                    "JPEG: Premature end of JPEG file",
                                    {},
                                    rows[id].modified}));
    } else {
      EXPECT_EQ(rows[id], before[id]);
    }
  }
}

TEST_F(PackTest, StrictEndsAtTheFirstAndLeavesNothing) {
  make_images(4);
  folder_.file("in/b/x.jpg", "not a picture");
  EXPECT_CONTAINS(failure("out", {{"strict", "true"}}),
                  "an image cannot be used: not an image of a known format · b/x.jpg");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(PackTest, OnlyDamagedImagesAreAnError) {
  for (const char* name : {"in/a/1.jpg", "in/a/2.jpg", "in/b/1.jpg"}) folder_.file(name, "not a picture");
  EXPECT_CONTAINS(failure("out"), "none of the training images can be used");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(PackTest, AnExistingDataSetIsKept) {
  make_images(4);
  pack_into("out");
  const std::string before = read_file(folder_ / "out/manifest.json");
  EXPECT_CONTAINS(failure("out", {{"side", "24"}}), "a data set is here already, packed with other settings: side 16");
  EXPECT_EQ(read_file(folder_ / "out/manifest.json"), before);
}

TEST_F(PackTest, AnUnfinishedOneWithoutJournalIsReplaced) {
  make_images(4);
  folder_.file("out/shards/train-00017.h5", "old");
  folder_.file("out/shards/.train-00018.h5.partial", "old");
  folder_.file("out/.manifest.json.partial", "old");
  pack_into("out");
  EXPECT_FALSE(fs::exists(folder_ / "out/shards/train-00017.h5"));
  EXPECT_FALSE(fs::exists(folder_ / "out/shards/.train-00018.h5.partial"));
  EXPECT_FALSE(fs::exists(folder_ / "out/.manifest.json.partial"));
}

TEST_F(PackTest, OthersFilesAreNeverRemoved) {
  make_images(4);
  folder_.file("out/thesis.tex", "years of work");
  EXPECT_CONTAINS(failure("out"), "it holds thesis.tex");
  folder_.file("other/shards/notes.txt", "mine");
  EXPECT_CONTAINS(failure("other"), "it holds notes.txt");
  EXPECT_TRUE(fs::exists(folder_ / "out/thesis.tex"));
  EXPECT_TRUE(fs::exists(folder_ / "other/shards/notes.txt"));
}

TEST_F(PackTest, OutputInsideInputIsRefused) {
  make_images(4);
  EXPECT_CONTAINS(failure("in/packed"), "the output lies inside the input");
}

TEST_F(PackTest, TooLittleSpaceIsSaidFirst) {
  const OutputFolder output(folder_ / "out", {});
  EXPECT_CONTAINS(failure_of([&] { output.prepare(std::uint64_t{1} << 60, {}); }), "MiB are free");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(PackTest, SettingsThatContradictAreUsageErrors) {
  EXPECT_CONTAINS(failure("out", {{"channels", "2"}}), "channels");
  EXPECT_CONTAINS(failure("out", {{"folder-as", "val"}}), "'val' is not GIVEN=SPLIT");
  EXPECT_CONTAINS(failure("out", {{"source", "generated"}, {"input", "x"}}), "generated pictures have no input");
  EXPECT_CONTAINS(failure("out", {{"input", "missing"}}), "no such folder");
}

TEST_F(PackTest, OptionsOfAnotherSourceAreUsageErrors) {
  make_images(2);
  EXPECT_CONTAINS(failure("out", {{"csv-name", "id"}}), "only --source csv has tables · --csv-name");
  EXPECT_CONTAINS(failure("out", {{"images-folder", "x"}}), "only --source csv has tables · --images-folder");
  EXPECT_CONTAINS(failure("out", {{"source", "csv"}, {"folder-as", "a=b"}}), "only class folders");
  EXPECT_CONTAINS(failure("out", {{"source", "csv"}, {"class-folder", "deepest"}}), "only --source class-folders");
  EXPECT_CONTAINS(failure("out", {{"source", "idx"}, {"class-names", "x"}}), "only class folders and CSV files");
}

TEST_F(PackTest, UnlabelledTestImagesArePacked) {
  for (int i = 0; i < 6; ++i) {
    folder_.file("in/train/" + std::string(i % 2 == 0 ? "a/" : "b/") + std::to_string(i) + ".png",
                 encoded(".png", {20, 20}, i));
  }
  for (int i = 0; i < 3; ++i) folder_.file("in/test/" + std::to_string(i) + ".png", encoded(".png", {20, 20}, 90 + i));
  folder_.file("in/test/broken.png", "not a picture");
  const Manifest manifest = pack_into("out");
  const SplitEntry& test = manifest.split("test");
  EXPECT_EQ(test.samples, 3);
  EXPECT_EQ(test.class_counts, (std::vector<std::int64_t>{0, 0}));
  const Shard shard = std::move(shards("out", manifest, "test")[0]);
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(shard.label(i), -1);
  const auto rows = read_image_table(folder_ / "out/images.h5");
  EXPECT_EQ(rows.at(0),
            (ImageRow{"test/0.png", "test", -1, 20, 20, ImageStatus::ok, "", rows[0].fingerprint, rows[0].modified}));
  EXPECT_EQ(rows.at(3), (ImageRow{"test/broken.png",
                                  "",
                                  -1,
                                  0,
                                  0,
                                  ImageStatus::refused,
                                  "not an image of a known format",
                                  {},
                                  rows[3].modified}));
  EXPECT_EQ(manifest.split("train").samples + manifest.split("validation").samples, 6);
}

TEST_F(PackTest, DuplicatesAreLeftOutOfTrainingFirst) {
  for (const char* name : {"train/a/1", "train/a/2", "train/b/3", "validation/a/4", "test/b/5"})
    folder_.file("in/" + std::string(name) + ".png",
                 encoded(".png", {70, 80}, 20 * (name[std::strlen(name) - 1] - '0')));
  const auto copy = [&](const char* from, const char* to) {
    folder_.file("in/" + std::string(to), read_file(folder_ / ("in/" + std::string(from))));
  };
  copy("train/a/1.png", "test/a/x.png");
  copy("train/a/1.png", "validation/a/y.png");
  copy("train/b/3.png", "train/a/z.png");
  folder_.file("in/train/b/same-size.png", encoded(".png", {70, 80}, 20));
  const Manifest manifest = pack_into("out", {{"drop-duplicates", "true"}});
  const auto rows = read_image_table(folder_ / "out/images.h5");
  std::map<std::string, std::string> outcome;
  for (const ImageRow& row : rows)
    outcome[row.path] = fmt::format("{} {}{}", name_of(row.status), row.split, row.reason);
  EXPECT_EQ(outcome,
            (std::map<std::string, std::string>{{"test/a/x.png", "ok test"},
                                                {"test/b/5.png", "ok test"},
                                                {"train/a/1.png", "duplicate the same bytes as test/a/x.png"},
                                                {"train/a/2.png", "ok train"},
                                                {"train/a/z.png", "ok train"},
                                                {"train/b/3.png", "duplicate the same bytes as train/a/z.png"},
                                                {"train/b/same-size.png", "duplicate the same bytes as test/a/x.png"},
                                                {"validation/a/4.png", "ok validation"},
                                                {"validation/a/y.png", "duplicate the same bytes as test/a/x.png"}}));
  EXPECT_EQ(manifest.status_counts, (std::map<std::string, std::int64_t>{{"duplicate", 4}, {"ok", 5}}));
  EXPECT_EQ(manifest.findings.at("leakage"), 0);
  EXPECT_EQ(manifest.findings.at("duplicates"), 0);
  EXPECT_EQ(manifest.findings.at("conflicting-labels"), 2);  // 3 is b's, z is a's; same-size is b's, x is a's
}

TEST_F(PackTest, WhatIsInTheSetStaysWhenItsDuplicatesAreAdded) {
  make_images(4);
  const std::map<std::string, std::string> drop = {{"drop-duplicates", "true"}};
  pack_into("out", drop);
  const auto before = read_image_table(folder_ / "out/images.h5");
  folder_.file("in/a/0-copy.png", read_file(folder_ / "in/a/1.png"));  // before it in the order of paths
  folder_.file("in/a/fresh.png", encoded(".png", {90, 80}, 9));
  const Manifest manifest = pack_into("out", {{"drop-duplicates", "true"}, {"add", "true"}});
  const auto rows = read_image_table(folder_ / "out/images.h5");
  ASSERT_EQ(rows.size(), 10u);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), rows.begin()));
  EXPECT_EQ(rows[8].path, "a/0-copy.png");
  EXPECT_EQ(rows[8].reason, "the same bytes as a/1.png");
  EXPECT_EQ(rows[8].fingerprint.content, rows[1].fingerprint.content);
  EXPECT_EQ(manifest.status_counts, (std::map<std::string, std::int64_t>{{"duplicate", 1}, {"ok", 9}}));
  const std::string whole = read_file(folder_ / "out/manifest.json");
  EXPECT_EQ(pack_into("out", drop).digest(), manifest.digest());  // nothing to do
  EXPECT_EQ(read_file(folder_ / "out/manifest.json"), whole);
}

TEST_F(PackTest, DuplicatesThatStayAreCountedInTheManifest) {
  make_images(4);
  folder_.file("in/a/copy.png", read_file(folder_ / "in/a/1.png"));
  const Manifest manifest = pack_into("out");
  EXPECT_EQ(manifest.findings.at("duplicates"), 1);
  EXPECT_EQ(manifest.findings.at("corrupt"), 0);
  EXPECT_EQ(manifest.status_counts, (std::map<std::string, std::int64_t>{{"ok", 9}}));
}

TEST_F(PackTest, WhatItFailsOnIsNeverADataSet) {
  make_images(4);
  folder_.file("in/b/copy.png", read_file(folder_ / "in/a/1.png"));
  EXPECT_CONTAINS(failure("out", {{"fail-on", "leakage,conflicting-labels,corrupt"}}), "conflicting-labels (1)");
  EXPECT_FALSE(fs::exists(folder_ / "out/manifest.json"));
  EXPECT_EQ(failure("out", {{"fail-on", "corrupt,blank"}}), "no error");
  EXPECT_CONTAINS(failure("other", {{"fail-on", "leaks"}}), "leaks");
}

TEST_F(PackTest, ARefusedAdditionLeavesTheSetAndItsAudit) {
  make_images(4);
  pack_into("out");
  const std::string manifest = read_file(folder_ / "out/manifest.json");
  folder_.file("out/audit.json", "{}");
  folder_.file("in/b/copy.png", read_file(folder_ / "in/a/1.png"));
  EXPECT_CONTAINS(failure("out", {{"add", "true"}, {"fail-on", "conflicting-labels"}}), "nothing is added");
  EXPECT_EQ(read_file(folder_ / "out/manifest.json"), manifest);
  EXPECT_TRUE(fs::exists(folder_ / "out/audit.json"));
  EXPECT_FALSE(fs::exists(folder_ / "out/.packing"));
  pack_into("out", {{"add", "true"}});
  EXPECT_FALSE(fs::exists(folder_ / "out/audit.json")) << "it was of the set as it was";
}

TEST_F(PackTest, ClassesGetTheirReadableNames) {
  make_images(4);
  const std::string names = folder_.file("names.txt", "a zebra, an animal\nb ant\n").string();
  const Manifest manifest = pack_into("out", {{"class-names", names}});
  EXPECT_EQ(manifest.classes, (std::vector<std::string>{"zebra", "ant"}));
  EXPECT_EQ(manifest.settings.at("class-names"), names);
  folder_.file("names.txt", "a zebra\n");
  EXPECT_CONTAINS(failure("other", {{"class-names", names}}), "1 of 2 classes have no name here: 'b'");
  EXPECT_FALSE(fs::exists(folder_ / "other"));
}

TEST_F(PackTest, NestedClassesAreNamedByPathOrLastPart) {
  for (const char* name : {"animals/cat/1", "animals/dog/2", "plants/cat/3"})
    folder_.file("in/" + std::string(name) + ".png", encoded(".png", {20, 20}, 9));
  const std::string names = folder_.file("names.txt", "animals/cat Felis\nplants/cat Nepeta\ndog Canis\n").string();
  const Manifest manifest =
      pack_into("out", {{"class-folder", "deepest"}, {"class-names", names}, {"validation", "0"}, {"test", "0"}});
  EXPECT_EQ(manifest.classes, (std::vector<std::string>{"Felis", "Canis", "Nepeta"}));
  EXPECT_EQ(manifest.split("train").class_counts, (std::vector<std::int64_t>{1, 1, 1}));
  EXPECT_EQ(manifest.settings.at("class-folder"), "deepest");
  folder_.file("names.txt", "cat Felis\ndog Canis\n");
  EXPECT_CONTAINS(failure("other", {{"class-folder", "deepest"}, {"class-names", names}}),
                  "2 of 3 classes have no name here: 'animals/cat', 'plants/cat'");
  const Manifest first = pack_into("first");
  EXPECT_EQ(first.classes, (std::vector<std::string>{"animals", "plants"}));
  EXPECT_EQ(first.settings.at("class-folder"), "first");
}

TEST_F(PackTest, TablesAreRecordedAsTheyWereRead) {
  make_images(4);
  folder_.file("in/set.csv", "file\tkind\ta number\na/0\tx\t1\na/1\ty\t2\nb/0\tx\t3\n");
  const Manifest manifest = pack_into("out", {{"source", "csv"},
                                              {"input", (folder_ / "in/set.csv").string()},
                                              {"csv-label", "Kind"},
                                              {"test", "0"},
                                              {"validation", "0"}});
  EXPECT_EQ(manifest.split("train").class_counts, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(manifest.settings.at("source"), "csv");
  EXPECT_EQ(manifest.settings.at("csv-name"), "file");
  EXPECT_EQ(manifest.settings.at("csv-label"), "kind");
  EXPECT_EQ(manifest.settings.at("csv-separator"), "tab");
  EXPECT_EQ(read_image_table(folder_ / "out/images.h5").at(2).path, "b/0.jpg");
}

TEST_F(PackTest, GeneratedPicturesFollowTheSeed) {
  const Values few = {{"source", "generated"}, {"images", "60"}};
  const Manifest first = pack_into("a", few), again = pack_into("b", few);
  EXPECT_EQ(first.digest(), again.digest());
  Values other = few;
  other["seed"] = "1";
  EXPECT_NE(first.digest(), pack_into("c", other).digest());
  EXPECT_EQ(first.classes.size(), 10u);
}

TEST_F(PackTest, CaltechHasAllItsPhotographs) {
  const auto input = test_data("caltech10-natural");
  if (!input) GTEST_SKIP() << "no caltech10-natural: set LOCKSTEP_TEST_DATA";
  const Manifest manifest = pack_into("out", {{"input", input->string()}, {"side", "64"}});
  EXPECT_EQ(manifest.split("train").samples, 702);
  EXPECT_EQ(manifest.split("validation").samples, 172);
  EXPECT_EQ(manifest.find_split("test"), nullptr);
  EXPECT_FALSE(manifest.status_counts.contains("refused"));
}

TEST_F(PackTest, FashionMnistHasItsKnownStatistics) {
  const auto input = test_data("fashion-mnist");
  if (!input) GTEST_SKIP() << "no fashion-mnist: set LOCKSTEP_TEST_DATA";
  const Manifest manifest = pack_into(
      "out", {{"source", "idx"}, {"input", input->string()}, {"side", "28"}, {"channels", "1"}, {"validation", "0"}});
  EXPECT_EQ(manifest.split("train").samples, 60000);
  EXPECT_EQ(manifest.split("test").samples, 10000);
  EXPECT_NEAR(manifest.mean[0] / 255, 0.2860, 5e-5);  // as published
  EXPECT_NEAR(manifest.std[0] / 255, 0.3530, 5e-5);
}

TEST(ChannelSums, GroupingChangesNothing) {
  const std::vector<std::uint8_t> a = {0, 10, 20, 255, 30, 40}, b = {7, 7, 7};
  ChannelSums together, apart, other;
  together.add(a, 3);
  together.add(b, 3);
  apart.add(b, 3);
  other.add(a, 3);
  apart += other;
  EXPECT_EQ(together.values, apart.values);
  EXPECT_EQ(together.squares, apart.squares);
  EXPECT_EQ(together.pixels, 3);
  EXPECT_DOUBLE_EQ(together.mean(1), 47.0 / 3);
  EXPECT_EQ(ChannelSums().std(0), 0);
}

}  // namespace
}  // namespace lockstep::preprocess
