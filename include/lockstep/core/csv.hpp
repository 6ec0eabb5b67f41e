// CSV files as RFC 4180 describes them, with what spreadsheets make of them: a header, then rows of as many fields.
//
// Fields may be quoted; inside quotes "" is a quote and separators and line ends are text. Lines end with CRLF, LF or
// CR; empty lines are skipped. A UTF-8 byte order mark is dropped. The separator is the one of comma, semicolon and tab
// that the header line holds most of, outside quotes; comma if it holds none. Blanks around fields and column names are
// dropped unless they were quoted. Errors name file and line: no header, a row of another length, a quote that is never
// closed or has text behind it, text that is not UTF-8 (UTF-16 is told apart). Memory: all fields.
// Source: RFC 4180; the other separators, byte order mark and lone CR are what Excel writes.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct CsvRow {
  std::int64_t line = 0;            ///< where it begins, from 1
  std::vector<std::string> fields;  ///< [column]
};

struct CsvTable {
  std::string file;  ///< for errors
  char separator = ',';
  std::vector<std::string> columns;
  std::vector<CsvRow> rows;

  /// "comma", "semicolon" or "tab".
  std::string separator_name() const;
  /// "labels.csv:17".
  std::string place(const CsvRow& row) const;
};

CsvTable read_csv(const std::filesystem::path& file);
/// `file` is named in errors.
CsvTable parse_csv(std::string_view text, const std::string& file);

/// A field as it stands in a file: in quotes where it needs them.
std::string csv_field(std::string_view text);

}  // namespace lockstep
