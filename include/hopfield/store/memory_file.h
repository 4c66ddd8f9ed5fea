#ifndef HOPFIELD_STORE_MEMORY_FILE_H_
#define HOPFIELD_STORE_MEMORY_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/os.h"
#include "hopfield/base/view.h"

namespace hopfield::store {

struct PatternSource;

/// Stored patterns in a file (docs/formats/memory.md), as they are when it is opened: those of its
/// body, less forgotten ones, then added ones, with their values and metadata. Without changes
/// since it was created or compacted the file is mapped: opening reads the header only, and
/// processes that open the same memory share its pages. Otherwise the log of changes is read as
/// well, and the first call of `patterns` gathers them in memory; compact_memory ends that.
///
/// Errors   kIo; kCorruptData for whatever breaks the format, a damaged header or log among it;
///          kUnsupported for a newer version.
/// Threads  const after construction; a MemoryWriter may change the file meanwhile. Views stay
/// valid
///          while the object lives (and moves).
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& path);
  /// The same over bytes that somebody else keeps alive, starting at a multiple of 8; `origin`
  /// names them in messages.
  MemoryFile(std::span<const std::byte> bytes, std::string origin);
  MemoryFile(MemoryFile&&) noexcept;
  MemoryFile& operator=(MemoryFile&&) noexcept;
  ~MemoryFile();

  const std::string& path() const;
  std::int64_t num_patterns() const;
  std::int64_t depth() const;
  /// kI8: a code for each number and a scale a row.
  DType dtype() const;
  /// Of the rows that are kept beside codes; none of other dtypes and where none are kept.
  std::optional<DType> exact_dtype() const;
  /// Of the format: 3 with codes, else 2 with values or metadata, else 1.
  std::int64_t version() const;
  /// Forgotten patterns that still take space, until the memory is compacted.
  std::int64_t tombstones() const;
  /// Changes in the log.
  std::int64_t num_changes() const;
  /// First number that may name a pattern which is added later without an id.
  std::int64_t next_number() const;
  /// Of the whole file.
  std::uint64_t num_bytes() const;
  /// 24 hexadecimal digits: the checksums of header and patterns as the header states them, and
  /// that of the changes. Copies of a file have the same, and so has a memory created anew from the
  /// same input; other contents have another one, but for a chance of about 2^-32. restrict_to
  /// changes nothing.
  std::string fingerprint() const;

  /// [S, d] for the kernels.
  PatternView patterns() const;

  /// Whether each pattern has a value: a row of numbers that is recalled instead of it.
  bool has_values() const;
  std::int64_t values_depth() const;  ///< dv; 0 without values
  DType values_dtype() const;         ///< kF32 without values
  /// [S, dv], the projections for the kernels; not given (`data` null, no row) without values.
  PatternView values() const;

  /// Whether a pattern was ever given metadata.
  bool has_metadata() const;
  /// A JSON object in one line; "{}" for a pattern without. The text is checked by `verify` only.
  /// Errors: kInvalidArgument for an index out of range.
  std::string metadata(std::int64_t pattern) const;

  /// From now on this object shows only these patterns, as if the others had been forgotten; the
  /// file stays as it is. Views and sources taken before become invalid.
  /// Errors: kInvalidArgument unless the indices ascend and are in range.
  void restrict_to(std::span<const std::int64_t> patterns);

  /// Where a pattern stands in the file (docs/formats/memory.md): the same for every object with
  /// this fingerprint, whatever restrict_to left out; ascending. Errors: kInvalidArgument for an
  /// index out of range.
  std::int64_t position(std::int64_t pattern) const;

  /// Whether patterns have names of their own; without, each is called by its number.
  bool has_ids() const;
  /// Name of a pattern: its own, or its number. Errors: kInvalidArgument for an index out of range.
  std::string id(std::int64_t pattern) const;
  /// All of them, in order.
  std::vector<std::string> ids() const;
  /// The pattern of that name, if there is one. The first call may read all names.
  std::optional<std::int64_t> find(std::string_view id) const;

  /// Reads all bytes. Errors: kCorruptData naming the tensor whose checksum differs, the pattern
  /// and column of a number that is not finite, or what else is damaged.
  void verify() const;

 private:
  friend class MemoryWriter;
  friend PatternSource pattern_source(const MemoryFile& memory);
  friend PatternSource value_source(const MemoryFile& memory);
  friend void compact_memory(const std::string& path, const std::function<bool()>& cancelled);
  struct State;
  std::unique_ptr<State> state_;
};

/// Where `create_memory` gets patterns from: [num_patterns, depth], asked for once in ascending
/// blocks.
struct PatternSource {
  std::int64_t num_patterns = 0;
  std::int64_t depth = 0;  ///< >= 1
  /// Rows [first, first + count), dense.
  std::function<std::vector<double>(std::int64_t first, std::int64_t count)> rows;
  /// "'FILE', row 3, column 2", or with a column's name; for messages. Row and column count from 0.
  std::function<std::string(std::int64_t row, std::int64_t column)> where;
};

/// All patterns of a memory, which must outlive the source. Where it keeps exact rows beside codes,
/// they are the patterns, else what the codes stand for.
PatternSource pattern_source(const MemoryFile& memory);
/// The same of its values; kInvalidArgument if it has none.
PatternSource value_source(const MemoryFile& memory);

/// What is kept beside patterns; each is there for all patterns of a call or for none.
struct Attachments {
  /// One row [dv] a pattern, recalled instead of it; null: none. Owned by the caller.
  const PatternSource* values = nullptr;
  /// One JSON object a pattern (UTF-8, no control characters, nested at most 100 deep); empty:
  /// none.
  std::span<const std::string> metadata;
  /// A file whose lines they are, for messages.
  std::string metadata_file;
};

struct CreateMemoryOptions {
  DType dtype = DType::kF32;  ///< not kF64
  /// With kI8: keep the rows as they are, too, in this type (kF32, kBF16 or kF16); the codes are
  /// then those of what it holds. None: the codes only. Ignored with other dtypes.
  std::optional<DType> exact = DType::kF32;
  std::span<const std::string> ids;  ///< one a pattern, or none
  /// First number that may name a pattern which is added later without an id; at least
  /// num_patterns.
  std::int64_t next_number = 0;
  IfExists if_exists = IfExists::kRefuse;
  std::function<bool()> cancelled;  ///< asked between blocks; may be empty
  Attachments attached;
  DType values_dtype = DType::kF32;  ///< not kF64
};

/// Writes a memory whole or not at all, in constant memory beyond the sources', the ids' and the
/// metadata's. Errors: kInvalidArgument (dtypes, number of ids, values or metadata); kCorruptData
/// for a number that is not finite or beyond the range of its type, an id that is empty, repeated,
/// not UTF-8 or holds control characters, metadata that is no JSON object, for kI8 also a row whose
/// largest number is neither 0 nor at least 127 * 2^-126; kIo, also if a memory is
/// to be replaced that another program is changing; kCancelled.
void create_memory(const std::string& path, const PatternSource& source,
                   const CreateMemoryOptions& options = {});

/// Writes all that `memory` holds, without tombstones and log, as another file. Its tensors are
/// not compared with their checksums: see MemoryFile::verify. Errors: as create_memory.
void copy_memory(const MemoryFile& memory, const std::string& path,
                 IfExists if_exists = IfExists::kRefuse,
                 const std::function<bool()>& cancelled = {});

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_MEMORY_FILE_H_
