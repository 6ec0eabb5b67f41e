#include "lockstep/core/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool ends_line(char c) { return c == '\n' || c == '\r'; }

/// Reads record after record.
class Reader {
 public:
  Reader(std::string_view text, const std::string& file, char separator)
      : text_(text), file_(file), separator_(separator) {}

  /// The next record that is not an empty line; none at the end.
  std::optional<CsvRow> next() {
    while (at_ < text_.size() && ends_line(text_[at_])) skip_line_end();
    if (at_ >= text_.size()) return std::nullopt;
    CsvRow row{line_, {field()}};
    while (at_ < text_.size() && text_[at_] == separator_) {
      ++at_;
      row.fields.push_back(field());
    }
    skip_line_end();
    return row;
  }

 private:
  std::string field() {
    while (at_ < text_.size() && text_[at_] != separator_ && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ < text_.size() && text_[at_] == '"') return quoted_field();
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != separator_ && !ends_line(text_[at_])) ++at_;
    return std::string(trimmed(text_.substr(begin, at_ - begin)));
  }

  std::string quoted_field() {
    const std::int64_t opened = line_;
    std::string content;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (at_ >= text_.size() || text_[at_] != '"') return after_quote(std::move(content));
      }
      if (text_[at_] == '\n' || (text_[at_] == '\r' && !text_.substr(at_).starts_with("\r\n"))) ++line_;
      content += text_[at_];
    }
    throw Error("a quote that is never closed", fmt::format("{}:{}", file_, opened),
                "close it, or write \"\" for a quote inside quotes");
  }

  std::string after_quote(std::string content) {
    while (at_ < text_.size() && text_[at_] != separator_ && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ >= text_.size() || text_[at_] == separator_ || ends_line(text_[at_])) return content;
    throw Error("text behind a closing quote", fmt::format("{}:{}", file_, line_),
                "quote the whole field, and write \"\" for a quote inside it");
  }

  void skip_line_end() {
    if (at_ >= text_.size()) return;
    at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
    ++line_;
  }

  std::string_view text_;
  const std::string& file_;
  char separator_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

std::string_view without_mark(std::string_view text, const std::string& file) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw Error("the file is UTF-16", file, "save it as UTF-8 (in Excel: \"CSV UTF-8\")");
  }
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return text;
}

void check_utf8(std::string_view text, const std::string& file) {
  if (is_utf8(text)) return;
  std::int64_t line = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!is_utf8(text.substr(0, end))) break;
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
  }
  throw Error("text that is not UTF-8", fmt::format("{}:{}", file, line), "save the file as UTF-8");
}

char separator_of(std::string_view text) {
  constexpr std::array candidates = {',', ';', '\t'};
  std::array<int, candidates.size()> counts{};
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (ends_line(c)) break;
    for (std::size_t i = 0; i < candidates.size(); ++i) counts[i] += c == candidates[i];
  }
  return candidates[static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin())];
}

void check_lengths(const CsvTable& table) {
  std::vector<std::string> lines;
  const CsvRow* first = nullptr;
  for (const CsvRow& row : table.rows) {
    if (row.fields.size() == table.columns.size()) continue;
    if (first == nullptr) first = &row;
    lines.push_back(std::to_string(row.line));
  }
  if (first == nullptr) return;
  throw Error(fmt::format("{} fields in a row, {} in the header (rows of another length: line {})",
                          first->fields.size(), table.columns.size(), first_of(lines)),
              table.place(*first), "fill the row up, and quote fields that hold the separator");
}

}  // namespace

std::string CsvTable::separator_name() const {
  return separator == ',' ? "comma" : separator == ';' ? "semicolon" : "tab";
}

std::string CsvTable::place(const CsvRow& row) const { return fmt::format("{}:{}", file, row.line); }

CsvTable parse_csv(std::string_view text, const std::string& file) {
  text = without_mark(text, file);
  check_utf8(text, file);
  CsvTable table{file, separator_of(text), {}, {}};
  Reader reader(text, file, table.separator);
  std::optional<CsvRow> header = reader.next();
  if (!header)
    throw Error("an empty CSV file", file, "a header with the columns' names is expected, then a row an image");
  table.columns = std::move(header->fields);
  while (std::optional<CsvRow> row = reader.next()) table.rows.push_back(std::move(*row));
  check_lengths(table);
  return table;
}

CsvTable read_csv(const std::filesystem::path& file) {
  constexpr std::uint64_t largest = std::uint64_t{1} << 31;
  return parse_csv(read_file(file, largest), file.string());
}

std::string csv_field(std::string_view text) {
  // Other separators too: a header full of them would be taken to be separated by them. And blanks at the ends, which
  // readers drop.
  if (text.find_first_of(",;\t\"\r\n") == std::string_view::npos && trimmed(text) == text) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace lockstep
