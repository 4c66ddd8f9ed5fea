#ifndef HOPFIELD_REPORT_TABLE_H_
#define HOPFIELD_REPORT_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace hopfield::report {

enum class Align : unsigned char { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

/// A table for a terminal and for a page alike.
class Table {
 public:
  /// Errors: kInvalidArgument without columns.
  explicit Table(std::vector<Column> columns);

  /// Missing cells are empty. A strong row stands out (bold on a page, a leading '*' in a
  /// terminal). Errors: kInvalidArgument if there are more cells than columns.
  Table& add_row(std::vector<std::string> cells, bool strong = false);
  /// A line above the next row.
  Table& add_rule();

  std::size_t num_rows() const { return rows_.size(); }

  /// For terminals: columns by display width, a rule below the titles, every line ends in '\n' and
  /// has no blanks at its end. Line breaks inside cells become blanks.
  std::string text() const;
  /// For Markdown: one table, strong rows in bold; line breaks inside cells become blanks. Rules
  /// are left out.
  std::string markdown() const;
  /// One <table> element, all text escaped.
  std::string html() const;

 private:
  struct Row {
    std::vector<std::string> cells;
    bool strong = false;
    bool rule_above = false;
  };
  std::vector<Column> columns_;
  std::vector<Row> rows_;
  bool rule_pending_ = false;
};

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_TABLE_H_
