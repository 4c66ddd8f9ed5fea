#include "hopfield/store/csv.h"

#include <csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "hopfield/base/error.h"
#include "hopfield/base/text.h"
#include "store/byte_source.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "csv";
constexpr std::size_t kBufferBytes = std::size_t{1} << 18;
constexpr std::size_t kRowBytesMax = std::size_t{1} << 28;

std::string shown(std::string_view text) {
  if (text.empty()) return "an empty cell";
  return "'" + std::string(text.substr(0, 40)) + (text.size() > 40 ? "...'" : "'");
}

/// Below the smallest double rather than beyond the largest.
bool is_underflow(std::string_view digits) {
  const std::size_t exponent = digits.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    return exponent + 1 < digits.size() && digits[exponent + 1] == '-';
  }
  return digits.substr(0, 2) == "0." || digits.substr(0, 3) == "-0." || digits.front() == '.';
}

}  // namespace

struct CsvReader::State {
  std::string path;
  ByteSource source;
  csv_parser parser = {};
  std::vector<char> buffer;
  std::size_t begin = 0, end = 0;  // of the bytes read and not yet parsed
  bool at_end = false;
  std::int64_t lines_read = 0;
  std::int64_t line_of_row = 0;  // where the row in the making began
  bool in_row = false, finished = false;

  // Complete rows not yet handed out, and the row in the making: text of all cells, where each
  // ends, and per row how many cells and on which line.
  std::string cells;
  std::vector<std::size_t> cell_ends;
  struct Row {
    std::size_t first_cell, num_cells;
    std::int64_t line;
  };
  std::vector<Row> rows;
  std::size_t next_row = 0;
  std::size_t row_first_cell = 0;

  Row current = {0, 0, 0};
  std::int64_t row = 0;
  std::vector<std::string> columns;
  std::unordered_map<std::string_view, std::size_t> index;

  explicit State(const std::string& p) : path(p), source(p, kOp), buffer(kBufferBytes) {
    if (csv_init(&parser, 0) != 0) {
      fail(ErrorCode::kOutOfMemory, kOp, "no memory to read '" + path + "'");
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { csv_free(&parser); }

  [[noreturn]] void damaged(std::int64_t line, const std::string& message) const {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path + "', line " + std::to_string(line) + ": " + message);
  }

  static void on_cell(void* text, std::size_t size, void* state) {
    State& s = *static_cast<State*>(state);
    if (size > 0) s.cells.append(static_cast<const char*>(text), size);
    s.cell_ends.push_back(s.cells.size());
  }

  static void on_row(int, void* state) {
    State& s = *static_cast<State*>(state);
    s.rows.push_back({s.row_first_cell, s.cell_ends.size() - s.row_first_cell, s.line_of_row});
    s.row_first_cell = s.cell_ends.size();
    s.in_row = false;
  }

  void parse(const char* text, std::size_t size) {
    if (csv_parse(&parser, text, size, &on_cell, &on_row, this) != size) {
      if (csv_error(&parser) == CSV_ENOMEM) {
        fail(ErrorCode::kOutOfMemory, kOp, "no memory for a row of '" + path + "'");
      }
      damaged(line_of_row, "expected CSV, got something else");
    }
    if (cells.size() > kRowBytesMax || csv_get_buffer_size(&parser) > kRowBytesMax) {
      damaged(line_of_row, "expected a row of at most 256 MiB; is a quote not closed?");
    }
  }

  void refill() {
    if (begin > 0) std::memmove(buffer.data(), buffer.data() + begin, end - begin);
    end -= begin;
    begin = 0;
    if (end == buffer.size()) return;
    const std::size_t count = source.read(std::span(buffer).subspan(end));
    if (count == 0) at_end = true;
    end += count;
  }

  /// Keeps only the cells of the row in the making.
  void drop_complete_rows() {
    const std::size_t text = row_first_cell == 0 ? 0 : cell_ends[row_first_cell - 1];
    cells.erase(0, text);
    cell_ends.erase(cell_ends.begin(),
                    cell_ends.begin() + static_cast<std::ptrdiff_t>(row_first_cell));
    for (std::size_t& end_of_cell : cell_ends) end_of_cell -= text;
    rows.clear();
    next_row = 0;
    row_first_cell = 0;
  }

  /// Feeds the parser line by line, so that every row's line number is known, until there is a row.
  bool parse_rows() {
    drop_complete_rows();
    while (rows.empty()) {
      const char* line = buffer.data() + begin;
      const void* newline = begin < end ? std::memchr(line, '\n', end - begin) : nullptr;
      std::size_t size = end - begin;
      if (newline != nullptr) {
        size = static_cast<std::size_t>(static_cast<const char*>(newline) - line) + 1;
      } else if (!at_end && size < buffer.size()) {
        refill();
        continue;
      }
      if (size == 0) break;
      feed_line(line, size, newline != nullptr);
      begin += size;
    }
    if (rows.empty() && at_end && !finished) {
      finished = true;
      // Lenient about quotes inside a cell, strict about one that is never closed.
      csv_set_opts(&parser, CSV_STRICT | CSV_STRICT_FINI);
      if (csv_fini(&parser, &on_cell, &on_row, this) != 0) {
        damaged(
            line_of_row,
            "expected a closing quote, got the end of the file; a cell that starts with a quote "
            "must end with one");
      }
    }
    return !rows.empty();
  }

  void feed_line(const char* line, std::size_t size, bool complete) {
    if (!in_row) {
      line_of_row = lines_read + 1;
      const bool blank = std::all_of(line, line + size, [this](char c) {
        return c == '\n' || c == '\r' ||
               ((c == ' ' || c == '\t') && c != static_cast<char>(csv_get_delim(&parser)));
      });
      if (blank) {
        if (complete) ++lines_read;
        return;
      }
      in_row = true;
    }
    parse(line, size);
    if (complete) ++lines_read;
  }

  bool next() {
    if (next_row == rows.size() && !parse_rows()) return false;
    current = rows[next_row++];
    return true;
  }

  std::string_view text(std::size_t column) const {
    const std::size_t cell = current.first_cell + column;
    const std::size_t first = cell == 0 ? 0 : cell_ends[cell - 1];
    return std::string_view(cells).substr(first, cell_ends[cell] - first);
  }

  /// The first line that is not blank, or as much of it as the buffer holds.
  std::string_view first_line() {
    for (;;) {
      std::string_view text(buffer.data() + begin, end - begin);
      text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
      const std::size_t size = text.find_first_of("\r\n");
      if (size != std::string_view::npos || at_end || end == buffer.size()) {
        return text.substr(0, size);
      }
      refill();
    }
  }

  /// See CsvOptions.
  char find_delimiter() {
    char best = ',';
    for (const std::string_view ending : {".tsv", ".tsv.gz", ".tab", ".tab.gz"}) {
      if (ends_with_ignoring_case(path, ending)) best = '\t';
    }
    const std::string_view line = first_line();
    const auto count = [line](char delimiter) {
      std::int64_t found = 0;
      bool quoted = false;
      for (const char c : line) {
        if (c == '"') quoted = !quoted;
        if (c == delimiter && !quoted) ++found;
      }
      return found;
    };
    for (const char other : {',', '\t', ';'}) {
      if (count(other) > count(best)) best = other;
    }
    return best;
  }

  void read_header(const CsvOptions& options) {
    const bool header = options.header;
    refill();
    if (end - begin >= 3 && std::memcmp(buffer.data(), "\xEF\xBB\xBF", 3) == 0) begin = 3;
    if (end - begin >= 2 && (std::memcmp(buffer.data(), "\xFF\xFE", 2) == 0 ||
                             std::memcmp(buffer.data(), "\xFE\xFF", 2) == 0)) {
      damaged(1, "expected text in UTF-8, got UTF-16; save it as UTF-8");
    }
    const char delimiter = options.delimiter != 0 ? options.delimiter : find_delimiter();
    csv_set_delim(&parser, static_cast<unsigned char>(delimiter));
    if (!next()) {
      damaged(1, header ? "expected a first line with column names, got an empty file"
                        : "expected rows, got an empty file");
    }
    for (std::size_t i = 0; i < current.num_cells; ++i) {
      columns.push_back(header ? std::string(text(i)) : std::to_string(i + 1));
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].empty()) {
        damaged(
            current.line,
            "expected a name for each column, got none for column " + std::to_string(i + 1) +
                (i == 0 ? "; is it the index of a data frame? write the table without it" : ""));
      }
      if (!is_utf8(columns[i])) {
        damaged(current.line, "expected text in UTF-8, got other bytes in the name of column " +
                                  std::to_string(i + 1) + "; save it as UTF-8");
      }
      const auto [it, is_new] = index.emplace(columns[i], i);
      if (!is_new) {
        damaged(current.line, "expected each column name once, got '" + columns[i] +
                                  "' as column " + std::to_string(it->second + 1) + " and " +
                                  std::to_string(i + 1));
      }
    }
    if (!header) --next_row;  // the first row is data
  }
};

CsvReader::CsvReader(const std::string& path, const CsvOptions& options)
    : state_(std::make_unique<State>(path)) {
  state_->read_header(options);
}
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;
CsvReader::~CsvReader() = default;

const std::string& CsvReader::path() const {
  return state_->path;
}
const std::vector<std::string>& CsvReader::columns() const {
  return state_->columns;
}
std::int64_t CsvReader::row() const {
  return state_->row;
}
std::int64_t CsvReader::line() const {
  return state_->current.line;
}

bool CsvReader::has_column(std::string_view name) const {
  return state_->index.count(name) != 0;
}

std::size_t CsvReader::column(std::string_view name, std::string_view remedy) const {
  const auto it = state_->index.find(name);
  if (it != state_->index.end()) return it->second;
  std::string message =
      "'" + path() + "': expected a column '" + std::string(name) + "', got only ";
  for (std::size_t i = 0; i < columns().size() && i < 12; ++i) {
    message += (i > 0 ? ", '" : "'") + columns()[i] + "'";
  }
  if (columns().size() > 12) {
    message += ", ... (" + std::to_string(columns().size()) + " columns)";
  }
  const std::string guess = closest_name(name, columns());
  if (!guess.empty()) {
    message += "; did you mean '" + guess + "'?";
  } else if (!remedy.empty()) {
    message.append("; ").append(remedy);
  }
  fail(ErrorCode::kInvalidArgument, kOp, message);
}

bool CsvReader::next() {
  State& s = *state_;
  if (!s.next()) return false;
  ++s.row;
  if (s.current.num_cells != s.columns.size()) {
    s.damaged(s.current.line,
              "expected " + std::to_string(s.columns.size()) + " cells, as many as columns, got " +
                  std::to_string(s.current.num_cells) + " (row " + std::to_string(s.row) + ")");
  }
  return true;
}

std::string_view CsvReader::text(std::size_t column) const {
  HOPFIELD_DCHECK(column < state_->columns.size());
  return state_->text(column);
}

std::string CsvReader::where(std::size_t column) const {
  return "'" + path() + "', line " + std::to_string(line()) + ", column '" + columns()[column] +
         "' (row " + std::to_string(row()) + ")";
}

double CsvReader::number(std::size_t column, std::string_view remedy) const {
  const std::string_view cell = text(column);
  std::string_view digits = cell;
  if (digits.size() > 1 && digits.front() == '+' && digits[1] != '-') digits.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = end == digits.data() + digits.size();
  if (error == std::errc() && whole && std::isfinite(value)) return value;
  if (error == std::errc::result_out_of_range && whole && is_underflow(digits)) return 0;
  std::string message = where(column) + ": expected a finite number, got " + shown(cell);
  if (cell.find(',') != std::string_view::npos) {
    message += "; write decimals with a point, and thousands without a separator";
  } else if (!remedy.empty()) {
    message.append("; ").append(remedy);
  }
  fail(ErrorCode::kCorruptData, kOp, message);
}

std::int64_t CsvReader::integer(std::size_t column) const {
  const std::string_view cell = text(column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error == std::errc() && end == cell.data() + cell.size()) return value;
  fail(ErrorCode::kCorruptData, kOp,
       where(column) + ": expected a whole number, got " + shown(cell));
}

CsvMatrix read_csv_matrix(const std::string& path, std::span<const std::string> columns,
                          const CsvOptions& options) {
  CsvReader reader(path, options);
  CsvMatrix matrix;
  std::vector<std::size_t> wanted;
  if (columns.empty()) {
    matrix.columns = reader.columns();
    for (std::size_t i = 0; i < matrix.columns.size(); ++i) wanted.push_back(i);
  } else {
    matrix.columns.assign(columns.begin(), columns.end());
    for (const std::string& name : columns) wanted.push_back(reader.column(name));
  }
  while (reader.next()) {
    for (const std::size_t column : wanted) matrix.values.push_back(reader.number(column));
    ++matrix.rows;
  }
  return matrix;
}

}  // namespace hopfield::store
