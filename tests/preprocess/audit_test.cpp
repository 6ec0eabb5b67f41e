#include "preprocess/audit.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "preprocess/audit_report.hpp"
#include "test_files.hpp"

namespace lockstep::preprocess {
namespace {

using Ids = std::vector<std::int64_t>;

/// Rows of images that have nothing in common, each to be changed by the test.
class AuditTest : public ::testing::Test {
 protected:
  AuditTest() {
    manifest_.classes = {"cat", "dog"};
    manifest_.shape = {100, 100, 3};
    manifest_.mean = manifest_.std = {1, 2, 3};
    manifest_.splits = {{"train", 6, {4, 2}, {}}, {"test", 3, {1, 0}, {}}};
    for (int i = 0; i < 8; ++i) add(i < 5 ? "train" : "test", i % 2);
  }

  ImageRow& add(const std::string& split, std::int32_t label) {
    const auto number = static_cast<std::uint64_t>(rows_.size()) + 1;
    ImageFingerprint print;
    print.bytes = 1000;
    print.content = number;
    for (std::size_t i = 0; i < 4; ++i) print.look[i] = number * 0x9E3779B97F4A7C15u * (i + 1);
    print.mean = {10, 20, 30};
    print.least = {0, 1, 2};
    print.most = {200, 201, 202};
    print.contrast = 40;
    rows_.push_back({std::to_string(number - 1) + ".jpg", split, label, 200, 150, ImageStatus::ok, "", print});
    return rows_.back();
  }
  void make_alike(std::size_t a, std::size_t b, std::uint64_t other_bits = 0xF) {
    rows_[b].fingerprint.look = rows_[a].fingerprint.look;
    rows_[b].fingerprint.look[3] ^= other_bits;
  }
  Audit run() const { return audit(rows_, manifest_, 2); }

  std::vector<ImageRow> rows_;
  Manifest manifest_;
};

TEST_F(AuditTest, NothingToFind) {
  const Audit found = run();
  for (const auto& [name, count] : found.counts()) EXPECT_EQ(count, name == "empty-classes" ? 1 : 0) << name;
  EXPECT_EQ(found.counts().size(), finding_names.size());
  EXPECT_EQ(found.images, 8);
  EXPECT_TRUE(found.groups.empty());
}

TEST_F(AuditTest, SameBytesWithinASplit) {
  rows_[2].fingerprint = rows_[0].fingerprint;
  rows_[4].fingerprint = rows_[0].fingerprint;
  const Audit found = run();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.groups[0].ids, (Ids{0, 2, 4}));
  EXPECT_TRUE(found.groups[0].identical);
  EXPECT_EQ(found.count(Finding::duplicates), 2);
  EXPECT_EQ(found.count(Finding::near_duplicates), 0);
  EXPECT_EQ(found.count(Finding::leakage), 0);
  EXPECT_EQ(found.count(Finding::conflicting_labels), 0);
}

TEST_F(AuditTest, TheDigestAloneIsNotEnough) {
  rows_[2].fingerprint.content = rows_[0].fingerprint.content;
  rows_[2].fingerprint.bytes = 1001;
  EXPECT_TRUE(run().groups.empty());
}

TEST_F(AuditTest, SameBytesAcrossSplitsAndLabels) {
  rows_[6].fingerprint = rows_[1].fingerprint;
  const Audit found = run();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.groups[0].across_splits, Sameness::identical);
  EXPECT_EQ(found.groups[0].labels_differ, Sameness::identical);
  EXPECT_EQ(found.count(Finding::leakage), 1);
  EXPECT_EQ(found.count(Finding::near_leakage), 0);
  EXPECT_EQ(found.count(Finding::conflicting_labels), 1);
}

TEST_F(AuditTest, UnknownLabelsAreNoConflict) {
  rows_[6].fingerprint = rows_[1].fingerprint;
  rows_[6].label = -1;
  EXPECT_EQ(run().count(Finding::conflicting_labels), 0);
}

TEST_F(AuditTest, AlikePicturesAreNearByTheirLooks) {
  make_alike(0, 7);
  const Audit found = run();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.groups[0].ids, (Ids{0, 7}));
  EXPECT_EQ(found.groups[0].bits, 4);
  EXPECT_FALSE(found.groups[0].identical);
  EXPECT_EQ(found.count(Finding::near_duplicates), 1);
  EXPECT_EQ(found.count(Finding::leakage), 0);
  EXPECT_EQ(found.count(Finding::near_leakage), 1);
  EXPECT_EQ(found.count(Finding::near_conflicts), 1);
}

TEST_F(AuditTest, ChainsOfAlikePicturesAreOneGroupWithTheirCopies) {
  make_alike(0, 2);
  make_alike(2, 4, 0xFF00);
  rows_[3].fingerprint = rows_[4].fingerprint;
  const Audit found = run();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.groups[0].ids, (Ids{0, 2, 3, 4}));
  EXPECT_EQ(found.count(Finding::duplicates), 1);
  EXPECT_EQ(found.count(Finding::near_duplicates), 2);
  EXPECT_EQ(found.groups[0].labels_differ, Sameness::identical);
}

TEST_F(AuditTest, EqualLooksOfOtherBytesAreNear) {
  make_alike(0, 2, 0);
  const Audit found = run();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_FALSE(found.groups[0].identical);
  EXPECT_EQ(found.count(Finding::near_duplicates), 1);
}

TEST_F(AuditTest, PoorPicturesAreNotNearButMayBeTheSame) {
  make_alike(0, 2);
  rows_[0].fingerprint.contrast = least_contrast - 1;
  EXPECT_TRUE(run().groups.empty());
  rows_[0].fingerprint.contrast = least_contrast;
  EXPECT_EQ(run().groups.size(), 1u);
  rows_[0].width = least_side - 1;
  EXPECT_TRUE(run().groups.empty());
  rows_[2].fingerprint = rows_[0].fingerprint;
  EXPECT_EQ(run().groups.size(), 1u);
}

TEST_F(AuditTest, LeftOutDuplicatesTellOfConflictsAlone) {
  rows_[3] = {"3.jpg", "", rows_[0].label, 0, 0, ImageStatus::duplicate, "the same bytes as 0.jpg", {}};
  rows_[3].fingerprint.bytes = rows_[0].fingerprint.bytes;
  rows_[3].fingerprint.content = rows_[0].fingerprint.content;
  Audit found = run();
  EXPECT_TRUE(found.groups.empty());
  EXPECT_EQ(found.left_out, 1);
  EXPECT_EQ(found.count(Finding::duplicates), 0);
  rows_[3].label = 1;
  found = run();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.groups[0].ids, (Ids{0, 3}));
  EXPECT_EQ(found.count(Finding::conflicting_labels), 1);
  EXPECT_EQ(found.count(Finding::duplicates), 0);
  EXPECT_EQ(found.count(Finding::leakage), 0);
}

TEST_F(AuditTest, RefusedFilesByReasonMostFrequentFirst) {
  const auto refuse = [&](std::size_t id, const char* reason) {
    rows_[id] = {rows_[id].path, "", 0, 0, 0, ImageStatus::refused, reason, {}};
  };
  refuse(1, "cut short");
  refuse(3, "empty");
  refuse(5, "empty");
  const Audit found = run();
  ASSERT_EQ(found.refusals.size(), 2u);
  EXPECT_EQ(found.refusals[0].reason, "empty");
  EXPECT_EQ(found.refusals[0].ids, (Ids{3, 5}));
  EXPECT_EQ(found.count(Finding::corrupt), 3);
  EXPECT_EQ(found.images, 5);
}

TEST_F(AuditTest, ConstantAndBlankPictures) {
  rows_[0].fingerprint.least = rows_[0].fingerprint.most = {7, 8, 9};
  rows_[0].fingerprint.contrast = 0;
  rows_[1].fingerprint.contrast = 1;
  rows_[2].fingerprint.contrast = 2;
  const Audit found = run();
  EXPECT_EQ(found.constant, (Ids{0}));
  EXPECT_EQ(found.blank, (Ids{1}));
  EXPECT_EQ(found.count(Finding::blank), 2);
}

TEST_F(AuditTest, BalanceOfEachSplit) {
  const Audit found = run();
  ASSERT_EQ(found.balance.size(), 2u);
  EXPECT_EQ(found.balance[0].imbalance, 2);
  EXPECT_EQ(found.balance[0].unlabelled, 0);
  EXPECT_EQ(found.balance[1].empty_classes, (std::vector<std::size_t>{1}));
  EXPECT_EQ(found.balance[1].unlabelled, 2);
  manifest_.splits[1].class_counts = {0, 0};
  EXPECT_EQ(run().count(Finding::empty_classes), 0);  // nothing is labelled: nothing is missing
}

TEST_F(AuditTest, SizesAndEnlargedPictures) {
  rows_[2].width = 50;
  rows_[5].height = 99;
  rows_[7].width = 2000;
  const Audit found = run();
  EXPECT_EQ(found.width.least, 50);
  EXPECT_EQ(found.width.least_id, 2);
  EXPECT_EQ(found.width.median, 200);
  EXPECT_EQ(found.width.most_id, 7);
  EXPECT_NEAR(found.aspect.least, 50.0 / 150, 1e-12);
  EXPECT_EQ(found.upscaled, (Ids{2, 5}));
  manifest_.settings["resize"] = "pad";
  EXPECT_TRUE(run().upscaled.empty());  // 50 × 150 is made smaller to fit 100 × 100
}

TEST_F(AuditTest, TablesWithoutFingerprintsHaveNoGroups) {
  for (ImageRow& row : rows_) row.fingerprint = {};
  const Audit found = run();
  EXPECT_EQ(found.without_fingerprint, 8);
  EXPECT_TRUE(found.groups.empty());
  EXPECT_EQ(found.contrast.least_id, -1);
  EXPECT_CONTAINS(to_table(found, {"set", rows_, manifest_}), "8 images without fingerprints");
}

TEST_F(AuditTest, TableAndJsonTellTheSame) {
  rows_[6].fingerprint = rows_[1].fingerprint;
  rows_[4].path = "not utf-8 \xFF.jpg";
  make_alike(0, 4);
  const Audit found = run();
  const std::string table = to_table(found, {"some/set", rows_, manifest_});
  EXPECT_CONTAINS(table, "some/set: 8 images, 2 classes");
  EXPECT_CONTAINS(table, "1.jpg (train, dog) = 6.jpg (test, cat)");
  const auto json = nlohmann::json::parse(to_json(found, {"some/set", rows_, manifest_}));
  EXPECT_EQ(json["findings"]["leakage"], 1);
  EXPECT_EQ(json["groups"][0]["across_splits"], "none");
  EXPECT_EQ(json["groups"][1]["across_splits"], "identical");
  EXPECT_EQ(json["groups"][1]["images"][1]["id"], 6);
  EXPECT_EQ(json["groups"][1]["images"][1]["label"], "cat");
  EXPECT_EQ(json["groups"][1]["images"][0]["content"], "0000000000000002");
  EXPECT_EQ(json["splits"][1]["empty_classes"][0], "dog");
  EXPECT_EQ(one_line(found), "1 duplicates · 1 near-duplicates · 1 leakage · 1 conflicting-labels · 1 empty-classes");
}

TEST_F(AuditTest, UnwantedFindingsAreAnErrorThatNamesThem) {
  rows_[6].fingerprint = rows_[1].fingerprint;
  const auto counts = run().counts();
  refuse_findings(counts, {}, "set", "hint");
  refuse_findings(counts, {Finding::corrupt, Finding::near_leakage}, "set", "hint");
  const std::string text = failure_of([&] {
    refuse_findings(counts, {Finding::corrupt, Finding::leakage, Finding::duplicates}, "set", "");
  });
  EXPECT_CONTAINS(text, "leakage (1), duplicates (1)");
}

}  // namespace
}  // namespace lockstep::preprocess
