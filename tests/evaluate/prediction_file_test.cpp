#include "lockstep/evaluate/prediction_file.hpp"

#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

class PredictionFiles : public ::testing::Test {
 protected:
  std::string written(const PredictionColumns& columns) {
    std::filesystem::remove(file_);
    PredictionWriter writer(file_, {"cat", "dog, large", "say \"owl\""}, columns);
    writer.add("a", 1, std::vector<double>{0.25, 0.5, 0.25});
    writer.add("b;c", 0, std::vector<double>{0.125, 0.25, 0.625});  // as votes may have it
    writer.add_unread("broken");
    EXPECT_FALSE(std::filesystem::exists(file_)) << "whole or absent";
    writer.finish();
    return read_file(file_);
  }
  PredictionTable read(const std::string& text) { return predictions_of(parse_csv(text, "p.csv")); }
  std::string failure(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "p.csv";
};

TEST_F(PredictionFiles, LabelsAlone) {
  EXPECT_EQ(written({}), "id,label\na,\"dog, large\"\n\"b;c\",cat\nbroken,\n");
  EXPECT_EQ(written({false, 0, true}), "id,label\na,1\n\"b;c\",0\nbroken,\n");
}

TEST_F(PredictionFiles, TheLikeliestClassesBeginWithTheLabel) {
  EXPECT_EQ(written({false, 3, true}),
            "id,label,probability,label_2,probability_2,label_3,probability_3\n"
            "a,1,0.5,0,0.25,2,0.25\n"
            "\"b;c\",0,0.125,2,0.625,1,0.25\n"
            "broken,,,,,,\n");
}

TEST_F(PredictionFiles, ProbabilitiesHaveAColumnForEachClass) {
  EXPECT_EQ(written({true, 1, false}),
            "id,label,probability,cat,\"dog, large\",\"say \"\"owl\"\"\"\n"
            "a,\"dog, large\",0.5,0.25,0.5,0.25\n"
            "\"b;c\",cat,0.125,0.125,0.25,0.625\n"
            "broken,,,,,\n");
}

TEST_F(PredictionFiles, ComeBackAsTheyWereWritten) {
  written({true, 2, false});
  const PredictionTable table = predictions_of(read_csv(file_));
  EXPECT_EQ(table.classes, (std::vector<std::string>{"cat", "dog, large", "say \"owl\""}));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0].label, "dog, large");
  EXPECT_EQ(table.rows[1].id, "b;c");
  EXPECT_EQ(table.rows[1].probabilities, (std::vector<double>{0.125, 0.25, 0.625}));
  EXPECT_EQ(table.rows[2].label, "");
  EXPECT_TRUE(table.rows[2].probabilities.empty());
}

TEST_F(PredictionFiles, NothingStaysBehindOfAnUnfinishedOne) {
  {
    PredictionWriter writer(file_, {"a", "b"}, {});
    writer.add("x", 0, std::vector<double>{1, 0});
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(PredictionFiles, AClassThatIsCalledLikeAnotherColumnHasNoColumn) {
  EXPECT_THROW(PredictionWriter(file_, {"label", "b"}, {true}), Error);
  EXPECT_NO_THROW(PredictionWriter(file_, {"label", "b"}, {}));
  EXPECT_THROW(PredictionWriter(file_, {"a", "label_2"}, {true, 2}), Error);
}

TEST_F(PredictionFiles, FilesOfOthersAreTaken) {
  const PredictionTable table = read("image_id;breed\n1;pug\n");
  EXPECT_EQ(table.rows.at(0).id, "1");
  EXPECT_EQ(table.rows.at(0).label, "pug");
  EXPECT_TRUE(table.classes.empty());
}

TEST_F(PredictionFiles, FaultsAreNamed) {
  EXPECT_NE(failure("id,label\n").find("no row below the header"), std::string::npos);
  EXPECT_NE(failure("id,what\n1,2\n").find("no column with the labels"), std::string::npos);
  EXPECT_NE(failure("number,label\n1,2\n").find("no column that names"), std::string::npos);
  EXPECT_NE(failure("id,label,a,b\n1,a,0.5,x\n").find("'x' in column 'b' is no probability · p.csv:2"),
            std::string::npos);
  EXPECT_NE(failure("id,label,a,b\n1,a,1.5,0\n").find("'1.5' in column 'a'"), std::string::npos);
  EXPECT_NE(failure("id,label,a,b\n1,a,nan,0\n").find("'nan' in column 'a'"), std::string::npos);
  EXPECT_NE(failure("id,label,a,b\n1,a,0.5,0.5\n2,a,0.5,0.2\n").find("add up to 0.7 · p.csv:3"), std::string::npos);
  EXPECT_NE(failure("id,label,a,b\n1,a,0.5,\n").find("'' in column 'b'"), std::string::npos);
  EXPECT_NE(failure("id,label,a,a\n1,a,0.5,0.5\n").find("two columns are called 'a'"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
