#ifndef HOPFIELD_STORE_MEMORY_FILE_H_
#define HOPFIELD_STORE_MEMORY_FILE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/view.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::store {

/// Stored patterns in a file (docs/formats/memory.md), mapped: opening reads the header only, and
/// processes that open the same memory share its pages.
///
/// Errors   kIo; kCorruptData for whatever breaks the format, a damaged header among it;
///          kUnsupported for a newer version.
/// Threads  const after construction. Views stay valid while the object lives (and moves).
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  std::int64_t num_patterns() const { return num_patterns_; }
  std::int64_t depth() const { return depth_; }
  DType dtype() const { return dtype_; }
  std::int64_t version() const { return 1; }
  /// Forgotten patterns that still take space; version 1 has none.
  std::int64_t tombstones() const { return 0; }
  /// Of the whole file.
  std::uint64_t num_bytes() const { return num_bytes_; }

  /// [S, d]; for the kernels as it lies in the file.
  PatternView patterns() const;

  bool has_ids() const { return ids_offsets_ != nullptr; }
  /// Name of a pattern: its own, or its number. Errors: kInvalidArgument for an index out of range.
  std::string id(std::int64_t pattern) const;

  /// Reads all bytes. Errors: kCorruptData naming the tensor whose checksum differs, or row and
  /// column of a number that is not finite.
  void verify() const;

 private:
  std::int64_t offset(std::int64_t i) const;

  SafetensorsFile file_;
  const TensorEntry* patterns_ = nullptr;
  const TensorEntry* ids_bytes_ = nullptr;
  const TensorEntry* ids_offsets_ = nullptr;
  DType dtype_ = DType::kF32;
  std::int64_t num_patterns_ = 0, depth_ = 0;
  std::uint64_t num_bytes_ = 0;
};

/// Where `create_memory` gets patterns from: [num_patterns, depth], asked for in ascending blocks.
struct PatternSource {
  std::int64_t num_patterns = 0;
  std::int64_t depth = 0;  ///< >= 1
  /// Rows [first, first + count), dense. Called once for every row, in order.
  std::function<std::vector<double>(std::int64_t first, std::int64_t count)> rows;
  /// "'FILE', row 3, column 2", or with a column's name; for messages. Row and column count from 0.
  std::function<std::string(std::int64_t row, std::int64_t column)> where;
};

struct CreateMemoryOptions {
  DType dtype = DType::kF32;         ///< not kF64
  std::span<const std::string> ids;  ///< one a pattern, or none
  IfExists if_exists = IfExists::kRefuse;
  std::function<bool()> cancelled;  ///< asked between blocks; may be empty
};

/// Writes a memory whole or not at all, in constant memory beyond the source's and the ids'.
/// Errors: kInvalidArgument (dtype, number of ids); kCorruptData for a number that is not finite or
/// beyond the range of dtype, an id that is empty, repeated, not UTF-8 or holds control characters;
/// kIo; kCancelled.
void create_memory(const std::string& path, const PatternSource& source,
                   const CreateMemoryOptions& options = {});

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_MEMORY_FILE_H_
