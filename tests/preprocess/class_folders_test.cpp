#include "preprocess/class_folders.hpp"

#include <gtest/gtest.h>

#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

using Splits = std::map<std::string, std::string>;

class ClassFoldersTest : public ::testing::Test {
 protected:
  Listing list(const Splits& folder_as = {}) const { return ClassFolders(folder_.path(), folder_as).list(); }
  std::string failure(const Splits& folder_as = {}) const {
    return failure_of([&] { list(folder_as); });
  }
  Listing list_deepest() const { return ClassFolders(folder_.path(), {}, ClassDepth::deepest).list(); }
  std::string failure_deepest() const {
    return failure_of([&] { list_deepest(); });
  }
  void touch(const std::string& name) const { folder_.file(name, "x"); }
  TemporaryFolder folder_;
};

TEST_F(ClassFoldersTest, LabelsFollowTheByteOrderOfNames) {
  for (const char* name : {"b/1.jpg", "a/sub/2.png", "Z/3.JPEG", "a/1.jpg", "\u00e9/noextension"}) touch(name);
  const Listing listing = list();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"Z", "a", "b", "\u00e9"}));
  ASSERT_EQ(listing.candidates.size(), 5u);
  EXPECT_EQ(listing.candidates[0], (Candidate{"Z/3.JPEG", "", "", 0}));
  EXPECT_EQ(listing.candidates[2], (Candidate{"a/sub/2.png", "", "", 1}));
}

TEST_F(ClassFoldersTest, OtherFilesAreRefusedHiddenOnesSkipped) {
  for (const char* name : {"a/1.jpg", "a/.DS_Store", "a/Thumbs.db", "a/notes.txt", ".git/x/1.jpg", "beside.jpg"})
    touch(name);
  const Listing listing = list();
  ASSERT_EQ(listing.candidates.size(), 4u);
  std::map<std::string, std::string> refusals;
  for (const Candidate& candidate : listing.candidates) refusals[candidate.path] = candidate.refusal;
  EXPECT_EQ(refusals["a/1.jpg"], "");
  EXPECT_EQ(refusals["a/Thumbs.db"], "not an image by its extension");
  EXPECT_EQ(refusals["a/notes.txt"], "not an image by its extension");
  EXPECT_EQ(refusals["beside.jpg"], "lies outside any class folder");
}

TEST_F(ClassFoldersTest, GivenSplitsAreKept) {
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg", "test/b/3.jpg"}) touch(name);
  Splits found;
  for (const Candidate& candidate : list().candidates) found[candidate.path] = candidate.given_split;
  EXPECT_EQ(found, (Splits{{"train/a/1.jpg", "train"},
                           {"train/b/1.jpg", "train"},
                           {"val/a/2.jpg", "validation"},
                           {"test/b/3.jpg", "test"}}));
}

TEST_F(ClassFoldersTest, TheFirstFolderIsTheClassHoweverDeepTheImage) {
  for (const char* name : {"train/a/x/y/1.jpg", "train/a/2.jpg", "train/b/1.jpg"}) touch(name);
  const Listing listing = list();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(listing.candidates[1], (Candidate{"train/a/x/y/1.jpg", "train", "", 0}));
  ASSERT_EQ(listing.notes.size(), 1u);
  EXPECT_CONTAINS(listing.notes[0], "taken as that class: 1 (train/a/x/y/1.jpg)");
  EXPECT_EQ(listing.notes[0].find("--class-folder"), std::string::npos);
}

TEST_F(ClassFoldersTest, FoldersThatHoldOnlyFoldersBringTheOptionToMind) {
  for (const char* name : {"animals/cat/1.jpg", "animals/dog/2.jpg", "plants/oak/3.jpg", "plants/list.txt"})
    touch(name);
  const Listing listing = list();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"animals", "plants"}));
  ASSERT_EQ(listing.notes.size(), 1u);
  EXPECT_CONTAINS(listing.notes[0], "taken as that class: 3 (animals/cat/1.jpg, animals/dog/2.jpg … and 1 more)");
  EXPECT_CONTAINS(listing.notes[0], "--class-folder deepest");
  touch("plants/4.jpg");
  EXPECT_EQ(list().notes.at(0).find("--class-folder"), std::string::npos);
}

TEST_F(ClassFoldersTest, TheDeepestFolderIsTheClassUnderItsPath) {
  for (const char* name : {"animals/cat/1.jpg", "animals/dog/2.jpg", "plants/cat/3.jpg", "plants/x/y/noextension"})
    touch(name);
  const Listing listing = list_deepest();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"animals/cat", "animals/dog", "plants/cat", "plants/x/y"}));
  for (std::int32_t i = 0; i < 4; ++i) EXPECT_EQ(listing.candidates.at(static_cast<std::size_t>(i)).label, i);
  EXPECT_TRUE(listing.notes.empty());
}

TEST_F(ClassFoldersTest, TheDeepestFolderStaysBelowItsSplit) {
  for (const char* name : {"train/animals/cat/1.jpg", "train/plants/oak/1.jpg", "val/plants/oak/2.jpg", "test/3.jpg"})
    touch(name);
  const Listing listing = list_deepest();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"animals/cat", "plants/oak"}));
  EXPECT_EQ(listing.candidates.at(0), (Candidate{"test/3.jpg", "test", "", -1}));
  EXPECT_EQ(listing.candidates.at(2), (Candidate{"train/plants/oak/1.jpg", "train", "", 1}));
  EXPECT_EQ(listing.candidates.at(3), (Candidate{"val/plants/oak/2.jpg", "validation", "", 1}));
  touch("val/plants/elm/2.jpg");
  EXPECT_CONTAINS(failure_deepest(), "class 'plants/elm' is not among the 2 training classes");
  EXPECT_CONTAINS(failure_deepest(), "/val/plants/elm");
}

TEST_F(ClassFoldersTest, ImagesBesideClassFoldersAreAClassOfTheirOwn) {
  for (const char* name : {"a/1.jpg", "a/sub/2.jpg", "a/sub/deep/3.jpg", "b/4.jpg", "beside.jpg"}) touch(name);
  const Listing listing = list_deepest();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"a", "a/sub", "a/sub/deep", "b"}));
  EXPECT_EQ(listing.candidates.at(4), (Candidate{"beside.jpg", "", "lies outside any class folder", -1}));
  ASSERT_EQ(listing.notes.size(), 1u);
  EXPECT_EQ(listing.notes[0], "classes whose folders hold other classes' folders too: 2 (a, a/sub)");
}

TEST_F(ClassFoldersTest, OtherFilesBesideClassFoldersMakeNoClass) {
  for (const char* name : {"a/LICENSE", "a/list.txt", "a/cat/1.jpg", "a/cat/notes.txt", "a/dog/LICENSE"}) touch(name);
  const Listing listing = list_deepest();
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"a/cat", "a/dog"}));
  EXPECT_EQ(listing.candidates.at(0), (Candidate{"a/LICENSE", "", "lies outside any class folder", -1}));
  EXPECT_EQ(listing.candidates.at(2), (Candidate{"a/cat/notes.txt", "", "not an image by its extension", 0}));
  EXPECT_EQ(listing.candidates.at(3), (Candidate{"a/dog/LICENSE", "", "", 1}));
  EXPECT_EQ(listing.candidates.at(4), (Candidate{"a/list.txt", "", "lies outside any class folder", -1}));
  EXPECT_TRUE(listing.notes.empty());
}

TEST_F(ClassFoldersTest, FoldersWithoutImagesAreNamedAtAnyDepth) {
  touch("only.jpg");
  EXPECT_CONTAINS(failure_deepest(), "no class folders");
  for (const char* name : {"a/x/1.jpg", "a/y/readme.txt"}) touch(name);
  EXPECT_CONTAINS(failure_deepest(), "no images in the class folder");
  EXPECT_CONTAINS(failure_deepest(), "/a/y · ");
  EXPECT_EQ(failure(), "no error");
  touch("a/y/\xFF/1.jpg");
  EXPECT_CONTAINS(failure_deepest(), "not UTF-8");
}

TEST_F(ClassFoldersTest, ATestFolderWithoutClassesIsUnlabelled) {
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "test/1.jpg", "test/2.png", "test/list.txt"}) touch(name);
  const Listing listing = list();
  ASSERT_EQ(listing.candidates.size(), 5u);
  EXPECT_EQ(listing.candidates[0], (Candidate{"test/1.jpg", "test", "", -1}));
  EXPECT_EQ(listing.candidates[2], (Candidate{"test/list.txt", "test", "not an image by its extension", -1}));
  touch("test/a/3.jpg");
  EXPECT_EQ(list().candidates[0], (Candidate{"test/1.jpg", "", "lies outside any class folder", -1}));
}

TEST_F(ClassFoldersTest, ValidationNeedsClasses) {
  for (const char* name : {"train/a/1.jpg", "val/1.jpg"}) touch(name);
  EXPECT_EQ(list().candidates[1], (Candidate{"val/1.jpg", "", "lies outside any class folder", -1}));
}

TEST_F(ClassFoldersTest, FolderAsMapsGivenSplits) {
  for (const char* name : {"train/a/1.jpg", "val/a/2.jpg"}) touch(name);
  EXPECT_EQ(list({{"val", "test"}}).candidates[1].given_split, "test");
  EXPECT_EQ(list({{"val", "valid"}}).candidates[1].given_split, "validation");
  EXPECT_CONTAINS(failure({{"vall", "test"}}), "no folder 'vall' in the input");
}

TEST_F(ClassFoldersTest, ContradictionsAreErrors) {
  EXPECT_CONTAINS(failure(), "no class folders");
  touch("val/a/1.jpg");
  EXPECT_CONTAINS(failure(), "none for training");
  touch("train/a/1.jpg");
  touch("extra/a/1.jpg");
  EXPECT_CONTAINS(failure(), "'extra' lies beside the split folder 'train'");
  EXPECT_EQ(failure({{"extra", "more"}}), "no error");
  touch("val/stranger/1.jpg");
  EXPECT_CONTAINS(failure({{"extra", "more"}}), "class 'stranger' is not among the 1 training classes");
}

TEST_F(ClassFoldersTest, EmptyClassesAreNamed) {
  touch("a/1.jpg");
  touch("b/readme.txt");
  EXPECT_CONTAINS(failure(), "no images in the class folder");
  EXPECT_CONTAINS(failure(), "/b");
}

TEST_F(ClassFoldersTest, MissingInputAndCirclesOfLinksAreErrors) {
  EXPECT_CONTAINS(failure_of([&] { ClassFolders(folder_ / "none", {}); }), "no such folder");
  EXPECT_CONTAINS(failure_of([&] { ClassFolders(folder_.file("labels.csv", "id,label\n"), {}); }), "--source csv");
  touch("a/1.jpg");
  std::filesystem::create_directory_symlink("../a", folder_ / "a/again");
  EXPECT_CONTAINS(failure(), "link");
}

TEST_F(ClassFoldersTest, ListingsTravelAsBytes) {
  for (const char* name : {"a/1.jpg", "a/bad\xFFname.jpg", "b/1.txt", "b/2.jpg"}) touch(name);
  Listing listing = list();
  listing.notes = {"a note"};
  listing.decided = {{"csv-name", "id"}};
  EXPECT_EQ(Listing::from_bytes(listing.to_bytes()), listing);
}

TEST_F(ClassFoldersTest, ClassNamesMustBeUtf8) {
  touch("a\xFF/1.jpg");
  EXPECT_CONTAINS(failure(), "not UTF-8");
}

}  // namespace
}  // namespace lockstep::preprocess
