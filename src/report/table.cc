#include "hopfield/report/table.h"

#include <algorithm>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/report/format.h"

namespace hopfield::report {
namespace {

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return text;
}

/// `text` filled up to `width` columns on the side that `align` leaves free.
std::string padded(const std::string& text, std::size_t width, Align align) {
  const std::size_t used = display_width(text);
  const std::string blanks(used < width ? width - used : 0, ' ');
  return align == Align::kRight ? blanks + text : text + blanks;
}

void end_line(std::string& line, std::string& out) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  require(!columns_.empty(), "Table", "expected at least one column, got none");
}

Table& Table::add_row(std::vector<std::string> cells, bool strong) {
  require(cells.size() <= columns_.size(), "Table",
          "expected at most " + std::to_string(columns_.size()) + " cells, got " +
              std::to_string(cells.size()));
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), strong, std::exchange(rule_pending_, false)});
  return *this;
}

Table& Table::add_rule() {
  rule_pending_ = true;
  return *this;
}

std::string Table::text() const {
  std::vector<std::size_t> width(columns_.size());
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    width[c] = display_width(one_line(columns_[c].title));
    for (const Row& row : rows_)
      width[c] = std::max(width[c], display_width(one_line(row.cells[c])));
  }
  const bool any_strong =
      std::any_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.strong; });
  const std::string indent = any_strong ? "  " : "";

  std::string out;
  const auto add_line = [&](const std::string& start, const auto& cell_of) {
    std::string line = start;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line += "  ";
      line += padded(one_line(cell_of(c)), width[c], columns_[c].align);
    }
    end_line(line, out);
  };
  const auto add_text_rule = [&] {
    std::string line = indent;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line += "  ";
      for (std::size_t i = 0; i < width[c]; ++i) line += "─";
    }
    end_line(line, out);
  };
  add_line(indent, [&](std::size_t c) { return columns_[c].title; });
  add_text_rule();
  for (const Row& row : rows_) {
    if (row.rule_above) add_text_rule();
    add_line(row.strong ? "* " : indent, [&](std::size_t c) { return row.cells[c]; });
  }
  return out;
}

std::string Table::markdown() const {
  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    out += "|";
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      std::string cell = one_line(cell_of(c));
      for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) {
        cell.insert(at, 1, '\\');
      }
      out += " " + cell + " |";
    }
    out += "\n";
  };
  add_line([&](std::size_t c) { return columns_[c].title; });
  add_line([&](std::size_t c) { return columns_[c].align == Align::kRight ? "---:" : "---"; });
  for (const Row& row : rows_) {
    add_line([&](std::size_t c) {
      return row.strong && !row.cells[c].empty() ? "**" + row.cells[c] + "**" : row.cells[c];
    });
  }
  return out;
}

std::string Table::html() const {
  const auto cell = [&](const char* tag, std::size_t c, const std::string& text) {
    const bool right = columns_[c].align == Align::kRight;
    const bool head = std::string_view(tag) == "th";
    return std::string("<") + tag + (head ? " scope=\"col\"" : "") +
           (right ? " class=\"hf-right\"" : "") + ">" + escape(text) + "</" + tag + ">";
  };
  std::string out = "<table>\n<thead><tr>";
  for (std::size_t c = 0; c < columns_.size(); ++c) out += cell("th", c, columns_[c].title);
  out += "</tr></thead>\n<tbody>\n";
  for (const Row& row : rows_) {
    out += row.strong && row.rule_above ? "<tr class=\"hf-strong hf-rule\">"
           : row.strong                 ? "<tr class=\"hf-strong\">"
           : row.rule_above             ? "<tr class=\"hf-rule\">"
                                        : "<tr>";
    for (std::size_t c = 0; c < columns_.size(); ++c) out += cell("td", c, row.cells[c]);
    out += "</tr>\n";
  }
  out += "</tbody>\n</table>\n";
  return out;
}

}  // namespace hopfield::report
