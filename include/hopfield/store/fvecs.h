#ifndef HOPFIELD_STORE_FVECS_H_
#define HOPFIELD_STORE_FVECS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hopfield/base/os.h"

namespace hopfield::store {

/// Vectors in the .fvecs format of the nearest-neighbour benchmarks, read only and mapped: for each
/// its depth (32-bit, little endian), then so many f32; all of one depth.
///
/// Errors   kIo; kCorruptData naming file and row for a size that is no whole number of vectors, a
///          depth < 1, or a row whose depth differs (seen when that row is read).
/// Threads  const after construction.
class FvecsFile {
 public:
  explicit FvecsFile(const std::string& path);
  /// The same over bytes that somebody else keeps alive; `origin` names them in messages.
  FvecsFile(std::span<const std::byte> bytes, std::string origin);

  const std::string& path() const { return path_; }
  std::int64_t num_vectors() const { return num_vectors_; }
  std::int64_t depth() const { return depth_; }  ///< 0 for an empty file

  /// Rows [first, first + count), dense.
  std::vector<double> read_rows(std::int64_t first, std::int64_t count) const;

 private:
  void open();
  std::int32_t depth_of(std::int64_t row) const;

  std::string path_;
  std::optional<MappedFile> file_;
  std::span<const std::byte> bytes_;
  std::int64_t num_vectors_ = 0, depth_ = 0;
};

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_FVECS_H_
