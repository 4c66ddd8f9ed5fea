#ifndef HOPFIELD_SRC_CLI_DIGITS_H_
#define HOPFIELD_SRC_CLI_DIGITS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Pictures of handwritten digits, as they are published.
namespace hopfield::cli {

/// Small grey pictures with their digit. Row-major, top row first.
struct Digits {
  int side = 0;                   ///< width = height
  int num_greys = 0;              ///< grey values are 0 .. num_greys - 1
  std::vector<int> grey;          ///< [count, side * side]
  std::vector<float> ink;         ///< grey / (num_greys - 1): 0 paper, 1 full ink
  std::vector<int> label;         ///< [count]
  std::int64_t num_repeated = 0;  ///< pictures of the file left out: equal to an earlier one
  std::string origin;

  std::size_t count() const { return label.size(); }
  std::size_t pixels() const {
    return static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  }
};

/// Reads the table that scikit-learn ships: no header, 64 grey values 0..16 and the digit in a row,
/// plain or gzip. Each distinct picture is kept once: of two equal ones nobody could say which was
/// recalled. Errors: kIo; kCorruptData as store::CsvReader, for a row of another length or a value
/// out of range.
Digits read_digits(const std::string& path);

/// Reads pictures and their digits from two IDX files (MNIST), the first `count_max` of them; all
/// are kept. Errors: as store::read_idx; kCorruptData if the files are not square pictures and one
/// digit from 0 to 9 for each.
Digits read_mnist(const std::string& pictures_path, const std::string& labels_path,
                  std::size_t count_max);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_DIGITS_H_
