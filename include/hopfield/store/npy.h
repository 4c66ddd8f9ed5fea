#ifndef HOPFIELD_STORE_NPY_H_
#define HOPFIELD_STORE_NPY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hopfield/base/os.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::store {

/// An array in NumPy's NPY format, versions 1 to 3, read only and mapped. Types f2, f4, f8, i1 to
/// i8, u1 to u8 and bool, little endian; C or Fortran order.
///
/// Errors   kIo; kCorruptData with the file's name for a wrong magic number, a header that is too
/// long or
///          is not the dictionary the format demands, an overflowing shape, too few or too many
///          bytes; kUnsupported for another type (objects, text, complex) or big-endian numbers.
/// Threads  const after construction.
class NpyFile {
 public:
  explicit NpyFile(const std::string& path);
  NpyFile(std::span<const std::byte> bytes, std::string origin);

  const std::string& path() const { return path_; }
  TensorType type() const { return type_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  bool fortran_order() const { return fortran_order_; }
  std::int64_t num_elements() const { return num_elements_; }

  /// The numbers as they lie in the file, of any alignment.
  std::span<const std::byte> data() const { return data_; }

  /// A copy in C order, converted. T: float, double, std::int64_t, std::int32_t, std::uint8_t.
  /// Floating-point T takes every type (rounding to nearest); integer T takes integers and bool.
  /// Errors: kCorruptData for floating-point numbers where integers are asked for and for integers
  /// that do not fit T.
  template <class T>
  std::vector<T> read() const;

  /// Rows [first, first + count) of the first dimension, as `read` gives them. C order only reads
  /// those; Fortran order gathers them.
  template <class T>
  std::vector<T> read_rows(std::int64_t first, std::int64_t count) const;

 private:
  void parse(std::span<const std::byte> file);

  std::string path_;
  std::optional<MappedFile> file_;
  TensorType type_ = TensorType::kF32;
  std::vector<std::int64_t> shape_;
  bool fortran_order_ = false;
  std::int64_t num_elements_ = 0;
  std::span<const std::byte> data_;
};

/// Writes a C-order array (version 1 header, 64-byte aligned data) whole or not at all.
/// T: float, double, F16, std::int64_t, std::int32_t, std::uint8_t.
/// Errors: kInvalidArgument if the shape does not fit the data; kIo.
template <class T>
void write_npy(const std::string& path, std::span<const T> data,
               std::span<const std::int64_t> shape);

/// Writes a matrix [rows, columns] as write_npy does, row after row: how many there are need not be
/// known. T: float, std::int64_t. Errors: kInvalidArgument for columns < 1 and a part of a row;
/// kIo.
template <class T>
class NpyWriter {
 public:
  NpyWriter(const std::string& path, std::int64_t columns);

  /// Whole rows.
  void append(std::span<const T> rows);

  /// Nothing exists under the path before.
  void commit();

 private:
  std::string start() const;

  AtomicFile file_;
  std::int64_t columns_, num_rows_ = 0;
};

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_NPY_H_
