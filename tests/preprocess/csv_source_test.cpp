#include "preprocess/csv_source.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "preprocess/image_index.hpp"
#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {
namespace fs = std::filesystem;

using Names = std::vector<std::string>;

class CsvSourceTest : public ::testing::Test {
 protected:
  void touch(const Names& names) const {
    for (const std::string& name : names) folder_.file(name, "x");
  }
  Listing list(const std::string& input = "", const ColumnWishes& wishes = {}, const std::string& images = "") const {
    const fs::path images_folder = images.empty() ? fs::path() : folder_ / images;
    return CsvSource(input.empty() ? folder_.path() : folder_ / input, images_folder, wishes).list();
  }
  std::string failure(const std::string& input = "", const ColumnWishes& wishes = {},
                      const std::string& images = "") const {
    return failure_of([&] { list(input, wishes, images); });
  }
  static Names splits(const Listing& listing) {
    Names found;
    for (const Candidate& candidate : listing.candidates)
      found.push_back(fmt::format("{}→{}", candidate.path, candidate.given_split));
    return found;
  }
  static bool notes(const Listing& listing, const std::string& part) {
    for (const std::string& note : listing.notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }
  TemporaryFolder folder_;
};

TEST_F(CsvSourceTest, LabelsBesideTwoFoldersAsInDogBreeds) {
  touch({"train/aa.jpg", "train/bb.jpg", "test/zz.jpg", "test/yy.jpg", "test/readme.txt"});
  folder_.file("labels.csv", "id,breed\nbb,pug\naa,boxer\n");
  folder_.file("sample_submission.csv", "id,boxer,pug\nyy,0.5,0.5\n");
  const Listing listing = list();
  EXPECT_EQ(listing.classes, (Names{"boxer", "pug"}));
  ASSERT_EQ(listing.candidates.size(), 5u);
  EXPECT_EQ(listing.candidates[0], (Candidate{"train/bb.jpg", "train", "", 1}));
  EXPECT_EQ(listing.candidates[1], (Candidate{"train/aa.jpg", "train", "", 0}));
  EXPECT_EQ(listing.candidates[2], (Candidate{"test/readme.txt", "test", "not an image by its extension", -1}));
  EXPECT_EQ(listing.candidates[4], (Candidate{"test/zz.jpg", "test", "", -1}));
  EXPECT_TRUE(notes(listing, "labels in 'breed', separator comma"));
  EXPECT_TRUE(notes(listing, "2 unlabelled images"));
  EXPECT_EQ(listing.decided.at("csv-name"), "id");
}

TEST_F(CsvSourceTest, TablesInsideTheirFolders) {
  touch({"train/images/1.png", "train/2.png", "val/3.png", "test/4.png", "test/5.png"});
  folder_.file("train/data.csv", "file;class\n1.png;a\n2.png;b\n");
  folder_.file("val/data.csv", "file,class\n3.png,b\n");
  folder_.file("test/data.csv", "file\n5\n4\n");
  const Listing listing = list();
  EXPECT_EQ(splits(listing), (Names{"train/images/1.png→train", "train/2.png→train", "val/3.png→validation",
                                    "test/5.png→test", "test/4.png→test"}));
  EXPECT_EQ(listing.candidates[2].label, 1);
  EXPECT_EQ(listing.candidates[3].label, -1);
}

TEST_F(CsvSourceTest, OneFolderOfImagesForAllTables) {
  touch({"images/1.png", "images/2.png", "images/3.png", "images/4.png"});
  folder_.file("train.csv", "id,label\n1,x\n2,y\n");
  folder_.file("test.csv", "id,label\n3,y\n");
  const Listing listing = list();
  EXPECT_EQ(splits(listing), (Names{"images/1.png→train", "images/2.png→train", "images/3.png→test"}));
  EXPECT_EQ(listing.candidates[2].label, 1);
  EXPECT_TRUE(notes(listing, "images that no row names, left out: 1 ("));
  EXPECT_TRUE(notes(listing, "images/4.png"));
}

TEST_F(CsvSourceTest, ATestTableWhoseLabelsAreAllEmptyIsUnlabelled) {
  touch({"train/1.png", "train/2.png", "test/3.png", "test/4.png"});
  folder_.file("train.csv", "id,label\n1,x\n2,y\n");
  folder_.file("test.csv", "id,label\n3,\n4,\n");
  EXPECT_EQ(list().candidates.at(2).label, -1);
  folder_.file("test.csv", "id,label\n3,y\n4,\n");
  EXPECT_CONTAINS(failure(), "rows without a label: 1 (line 3");
}

TEST_F(CsvSourceTest, AFileAloneIsToBeSplit) {
  touch({"set/a.png", "elsewhere/a.png", "elsewhere/b.png"});
  folder_.file("set.csv", "name,label\na,x\n");
  EXPECT_EQ(splits(list("set.csv")), Names{"set/a.png→"});
  EXPECT_EQ(splits(list("set.csv", {}, "elsewhere")), Names{"elsewhere/a.png→"});
  touch({"images/a.png", "images/b.png"});
  folder_.file("set.csv", "name,label\na,x\nb,y\n");
  EXPECT_EQ(splits(list("set.csv")), (Names{"images/a.png→", "images/b.png→"})) << "most of them are there";
}

TEST_F(CsvSourceTest, ImagesOutsideTheInputGetAbsolutePaths) {
  touch({"photos/a.png"});
  folder_.file("tables/set.csv", "name,label\na,x\n");
  EXPECT_EQ(list("tables/set.csv", {}, "photos").candidates.at(0).path,
            fs::absolute(folder_ / "photos/a.png").string());
}

TEST_F(CsvSourceTest, NumbersAreOrderedAsNumbersTextsAsBytes) {
  EXPECT_EQ(classes_of({"10", "2", "2", "-1"}, ""), (Names{"-1", "2", "10"}));
  EXPECT_EQ(classes_of({"10", "2", "x"}, ""), (Names{"10", "2", "x"}));
  EXPECT_EQ(classes_of({"b", "a", "Z"}, ""), (Names{"Z", "a", "b"}));
  EXPECT_CONTAINS(failure_of([] { classes_of({"1", "2", "01"}, "t.csv"); }), "are the same number · t.csv");
}

TEST_F(CsvSourceTest, ClassesThatDifferByCaseAreNoted) {
  touch({"train/1.png", "train/2.png", "train/3.png"});
  folder_.file("train.csv", "id,label\n1,pug\n2,Pug\n3,akita\n");
  const Listing listing = list();
  EXPECT_EQ(listing.classes, (Names{"Pug", "akita", "pug"}));
  EXPECT_TRUE(notes(listing, "the classes 'Pug' and 'pug' differ by case only"));
}

TEST_F(CsvSourceTest, NamesWithoutFileAreCountedAndListed) {
  touch({"train/1.png"});
  std::string rows = "id,label\n1,x\n";
  for (int i = 2; i < 9; ++i) rows += std::to_string(i) + ",x\n";
  folder_.file("train.csv", rows);
  EXPECT_CONTAINS(failure(), "names without a file: 7 (line 3 '2', line 4 '3'");
  EXPECT_CONTAINS(failure(), "… and 2 more)");
  EXPECT_CONTAINS(failure(), "train.csv:3");
  EXPECT_CONTAINS(failure(), "--images-folder");
  folder_.file("train.csv", "id,label\n7,x\n");
  EXPECT_CONTAINS(failure(), "none of the 1 named images");
}

TEST_F(CsvSourceTest, NamesWithSeveralFilesAreListed) {
  touch({"train/1.png", "train/1.jpg"});
  folder_.file("train.csv", "id,label\n1,x\n");
  EXPECT_CONTAINS(failure(), "line 2 '1': 1.jpg, 1.png");
  folder_.file("train.csv", "id,label\n1.jpg,x\n1.png,y\n");
  EXPECT_EQ(list().candidates.size(), 2u);
}

TEST_F(CsvSourceTest, RowsForOneFileAreNamed) {
  touch({"images/1.png", "images/2.png"});
  folder_.file("train.csv", "id,label\n1,x\n2,y\n1.png,x\n");
  EXPECT_CONTAINS(failure(), "rows for one and the same file: 1 (line 4 '1.png', as in line 2)");
  folder_.file("train.csv", "id,label\n1,x\n2,y\n");
  folder_.file("test.csv", "id\n2\n");
  EXPECT_CONTAINS(failure(), "train.csv:3");
}

TEST_F(CsvSourceTest, EmptyFieldsAreNamed) {
  touch({"train/1.png", "train/2.png"});
  folder_.file("train.csv", "id,label\n1,x\n2,\n");
  EXPECT_CONTAINS(failure(), "rows without a label: 1 (line 3 '2')");
  folder_.file("train.csv", "id,label\n1,x\n,y\n");
  EXPECT_CONTAINS(failure(), "rows without a name: 1 (line 3)");
  folder_.file("train.csv", "id,label\n");
  EXPECT_CONTAINS(failure(), "no row below the header");
}

TEST_F(CsvSourceTest, AClassThatOnlyTheTestHasIsNamed) {
  touch({"train/1.png", "train/2.png", "test/3.png"});
  folder_.file("train.csv", "id,label\n1,x\n2,y\n");
  folder_.file("test.csv", "id,label\n3,z\n");
  EXPECT_CONTAINS(failure(), "classes that the training does not have: 1 (line 2 'z')");
}

TEST_F(CsvSourceTest, LayoutsThatContradictThemselves) {
  EXPECT_CONTAINS(failure("none"), "no such file or folder");
  touch({"train/1.png", "val/2.png"});
  EXPECT_CONTAINS(failure(), "no table of the training images");
  folder_.file("data.csv", "id,label\n1,x\n");
  EXPECT_CONTAINS(failure(), "there is data.csv: name it with --input");
  folder_.file("train.csv", "id,label\n1,x\n");
  EXPECT_CONTAINS(failure(), "no table for the images of this folder");
  folder_.file("train/more.csv", "id,label\n1,x\n");
  EXPECT_CONTAINS(failure(), "2 tables for train: train.csv, train/more.csv");
  EXPECT_CONTAINS(failure("data.csv", {}, "nowhere"), "check --images-folder");
}

TEST_F(CsvSourceTest, PicturesAreRead) {
  folder_.file("train/1.png", encoded(".png", {5, 4}, 77));
  folder_.file("train.csv", "id,label\n1,x\n");
  CsvSource source(folder_.path(), "", {});
  const Listing listing = source.list();
  const Picture picture = source.picture(0, listing.candidates[0], {3, 0, {}});
  EXPECT_EQ(picture.pixels.at<cv::Vec3b>(2, 1), cv::Vec3b(10, 3, 77));
}

TEST(ImageIndex, FindsByPathNameAndStem) {
  TemporaryFolder folder;
  for (const char* name :
       {"pics/a.jpg", "pics/sub/b.PNG", "pics/sub/a.png", "pics/v1.2.jpg", "pics/plain", "pics/n.txt"})
    folder.file(name, "x");
  const ImageIndex index(folder / "pics");
  EXPECT_EQ(index.files().size(), 5u);
  EXPECT_EQ(index.find("a.jpg"), Names{"a.jpg"});
  EXPECT_EQ(index.find("a"), Names{"a.jpg"}) << "its path without the extension comes first";
  EXPECT_EQ(index.find("sub/a"), Names{"sub/a.png"});
  EXPECT_EQ(index.find("b"), Names{"sub/b.PNG"});
  EXPECT_EQ(index.find("v1.2"), Names{"v1.2.jpg"});
  EXPECT_EQ(index.find("plain"), Names{"plain"});
  EXPECT_EQ(index.find("pics/sub/b.PNG"), Names{"sub/b.PNG"});
  EXPECT_EQ(index.find(".\\sub\\b.PNG"), Names{"sub/b.PNG"});
  EXPECT_EQ(index.find((folder / "pics/sub/a").string()), Names{"sub/a.png"});
  EXPECT_TRUE(index.find((folder / "else/a").string()).empty());
  EXPECT_TRUE(index.find("a.bmp").empty());
  EXPECT_TRUE(index.find("other/a").empty());
  EXPECT_TRUE(index.find("n").empty());
}

}  // namespace
}  // namespace lockstep::preprocess
