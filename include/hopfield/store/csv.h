#ifndef HOPFIELD_STORE_CSV_H_
#define HOPFIELD_STORE_CSV_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hopfield::store {

struct CsvOptions {
  /// 0: of comma, tab and semicolon the one that occurs most often outside quotes in the first
  /// line; if others are as often there, a tab for names ending in .tsv, .tsv.gz, .tab, .tab.gz,
  /// else a comma.
  char delimiter = 0;
  /// Whether the first line names the columns. Without, they are called "1", "2", ...
  bool header = true;
};

/// A table in a text file, read row by row in constant memory: RFC 4180 CSV, or the same with
/// another delimiter; plain or gzip-compressed (found by content; a name ending in .gz must be
/// compressed). Spaces around unquoted cells and blank lines are ignored; a byte-order mark is
/// skipped.
///
/// Errors   kIo if the file cannot be read; kInvalidArgument for a column that is not there;
///          kCorruptData with file, line and column for: damaged or truncated gzip data, no header,
///          a column name that is empty, repeated or not UTF-8, a row with more or fewer cells than
///          the header, an unfinished quote, a cell that is no finite number where one is asked
///          for.
/// Threads  one at a time.
class CsvReader {
 public:
  explicit CsvReader(const std::string& path, const CsvOptions& options = {});
  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;
  ~CsvReader();

  const std::string& path() const;
  const std::vector<std::string>& columns() const;
  /// Index of a column; the message of the error lists what there is and guesses what was meant, or
  /// ends with `remedy` if there is nothing to guess.
  std::size_t column(std::string_view name, std::string_view remedy = {}) const;
  bool has_column(std::string_view name) const;

  /// Goes to the next row; false at the end of the file.
  bool next();

  /// Of the current row: data rows count from 1, lines of the file too (the header is line 1).
  std::int64_t row() const;
  std::int64_t line() const;

  /// Cells of the current row; valid until `next`.
  std::string_view text(std::size_t column) const;
  /// A finite number. Empty cells, NaN, infinities and other text are errors, whose message ends
  /// with `remedy`.
  double number(std::size_t column, std::string_view remedy = {}) const;
  /// A whole number that fits 64 bits.
  std::int64_t integer(std::size_t column) const;

  /// "FILE, line 3, column 'age' (row 2)": for errors of the caller's own.
  std::string where(std::size_t column) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Columns of numbers as one row-major matrix.
struct CsvMatrix {
  std::vector<std::string> columns;
  std::int64_t rows = 0;
  std::vector<double> values;  ///< [rows, columns.size()]
};

/// Reads the named columns, or all of them, as numbers. Errors as CsvReader.
CsvMatrix read_csv_matrix(const std::string& path, std::span<const std::string> columns = {},
                          const CsvOptions& options = {});

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_CSV_H_
