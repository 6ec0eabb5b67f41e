#include "lockstep/core/csv.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "lockstep/core/csv_columns.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using Fields = std::vector<std::string>;

/// The sentence of the Error; empty: there was none.
std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

std::string failure(std::string_view text) {
  return failure_of([&] { parse_csv(text, "t.csv"); });
}

TEST(CsvReader, ReadsQuotesAndEveryLineEnd) {
  const CsvTable table =
      parse_csv("name,label\r\n\"a,b\",\"say \"\"hi\"\"\"\n\"two\r\nlines\",x\r\r\n , y \n", "t.csv");
  EXPECT_EQ(table.columns, (Fields{"name", "label"}));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0].fields, (Fields{"a,b", "say \"hi\""}));
  EXPECT_EQ(table.rows[1].fields, (Fields{"two\r\nlines", "x"}));
  EXPECT_EQ(table.rows[2].fields, (Fields{"", "y"}));
  EXPECT_EQ(table.rows[1].line, 3);
  EXPECT_EQ(table.rows[2].line, 6);
  EXPECT_EQ(table.place(table.rows[2]), "t.csv:6");
}

TEST(CsvReader, BlanksBelongToAFieldOnlyInsideQuotes) {
  const CsvTable table = parse_csv(" id ; \" label\" \n  a b  ;\" c \"  ", "t.csv");
  EXPECT_EQ(table.columns, (Fields{"id", " label"}));
  EXPECT_EQ(table.rows.at(0).fields, (Fields{"a b", " c "}));
}

TEST(CsvReader, TheHeaderTellsTheSeparator) {
  const auto name_of = [](const char* text) { return parse_csv(text, "t.csv").separator_name(); };
  EXPECT_EQ(name_of("a,b\n1,2"), "comma");
  EXPECT_EQ(name_of("a;b\n1;2,5"), "semicolon");
  EXPECT_EQ(name_of("a\tb\n1\t2"), "tab");
  EXPECT_EQ(name_of("\"a;;;\",b\n1,2"), "comma");
  EXPECT_EQ(name_of("id\n1\n2"), "comma");
}

TEST(CsvReader, TheByteOrderMarkIsDropped) {
  EXPECT_EQ(parse_csv("\xEF\xBB\xBFid,label\n1,2\n", "t.csv").columns.at(0), "id");
}

TEST(CsvReader, OneColumnAndEmptyLines) {
  const CsvTable table = parse_csv("\n\nid\n\n7\n\n8", "t.csv");
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[1].fields, Fields{"8"});
  EXPECT_EQ(table.rows[1].line, 7);
}

TEST(CsvReader, FaultsNameTheLine) {
  EXPECT_CONTAINS(failure(""), "an empty CSV file · t.csv");
  EXPECT_CONTAINS(failure("a,b\n1,2\n3\n4,5,6\n"), "1 fields in a row, 2 in the header");
  EXPECT_CONTAINS(failure("a,b\n1,2\n3\n4,5,6\n"), "line 3, 4) · t.csv:3");
  EXPECT_CONTAINS(failure("a,b\n1,\"2\n3,4\n"), "never closed · t.csv:2");
  EXPECT_CONTAINS(failure("a,b\n1,2\n\"3\"x,4\n"), "text behind a closing quote · t.csv:3");
  EXPECT_CONTAINS(failure("a,b\n1,2\n\xE9,4\n"), "not UTF-8 · t.csv:3");
  EXPECT_CONTAINS(failure(std::string_view("\xFF\xFE"
                                           "a\0",
                                           4)),
                  "UTF-16");
}

TEST(CsvFields, ComeBackAsTheyWereWritten) {
  const Fields fields{"plain", "a,b", "say \"hi\"", " blanks ", "two\nlines", "a;b", "", "tab\there"};
  std::string header = "c1", line = csv_field(fields[0]);
  for (std::size_t i = 1; i < fields.size(); ++i) {
    header += ",c" + std::to_string(i + 1);
    line += "," + csv_field(fields[i]);
  }
  EXPECT_EQ(parse_csv(header + "\n" + line + "\n", "t.csv").rows.at(0).fields, fields);
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a\"b"), "\"a\"\"b\"");
}

class CsvColumnsTest : public ::testing::Test {
 protected:
  static CsvTable table(const std::string& header) { return parse_csv(header + "\n", "t.csv"); }
  /// "name column/label column".
  static std::string found(const std::string& header, const ColumnWishes& wishes = {}) {
    const CsvTable t = table(header);
    const CsvColumns columns = labelled_columns(t, wishes);
    return t.columns[columns.name] + "/" + t.columns[columns.label.value()];
  }
  static std::string failure(const std::string& header, const ColumnWishes& wishes = {}) {
    return failure_of([&] { found(header, wishes); });
  }
};

TEST_F(CsvColumnsTest, AreFoundByTheirNames) {
  EXPECT_EQ(found("id,breed"), "id/breed");
  EXPECT_EQ(found("category,image_id"), "image_id/category");
  EXPECT_EQ(found("Id,File Name,Class"), "File Name/Class");
  EXPECT_EQ(found("x,LABEL,path,id"), "path/LABEL");
}

TEST_F(CsvColumnsTest, TheUserWins) {
  EXPECT_EQ(found("id,code,label,what", {"code", "what"}), "code/what");
  EXPECT_EQ(found("Photo ID,label", {"photo_id", ""}), "Photo ID/label");
}

TEST_F(CsvColumnsTest, FaultsListTheColumnsThereAre) {
  EXPECT_CONTAINS(failure("photo,label"), "no column that names the images");
  EXPECT_CONTAINS(failure("photo,label"), "--csv-name COLUMN; the columns are: photo, label");
  EXPECT_CONTAINS(failure("id,what"), "no column with the labels");
  EXPECT_CONTAINS(failure("id,what"), "--csv-label COLUMN; the columns are: id, what");
  EXPECT_CONTAINS(failure("id,label", {"", "kind"}), "no column 'kind'");
  EXPECT_CONTAINS(failure("id,class,breed"), "2 columns may hold the labels: 'class', 'breed'");
  EXPECT_CONTAINS(failure("id,label,label"), "2 columns may hold the labels");
  EXPECT_CONTAINS(failure("id,id,label"), "2 columns are called 'id'");
  EXPECT_CONTAINS(failure("id,label", {"label", ""}), "both names and labels");
}

TEST_F(CsvColumnsTest, ATestTableMayDoWithoutLabels) {
  EXPECT_EQ(columns_of_test(table("id"), {}, "breed").label, std::nullopt);
  EXPECT_EQ(columns_of_test(table("Breed,id"), {}, "breed").label, 0u);
  EXPECT_CONTAINS(failure_of([] { columns_of_test(table("id,class"), {}, "breed"); }), "but 'class'");
}

}  // namespace
}  // namespace lockstep
