#ifndef HOPFIELD_SRC_STORE_MEMORY_FORMAT_H_
#define HOPFIELD_SRC_STORE_MEMORY_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hopfield/store/change_log.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/store/safetensors.h"

// What reading and writing memories share; docs/formats/memory.md.
namespace hopfield::store {
namespace internal {

inline constexpr std::string_view kMemoryOp = "memory";
inline constexpr const char* kMemoryFormat = "hopfield.memory";
inline constexpr const char* kHeaderChecksum = "crc32.header";
inline constexpr const char* kNextNumber = "next_number";
inline constexpr std::uint64_t kLogAlignment = 64;

enum class ChangeKind : std::uint32_t { kAdd = 1, kForget = 2, kUpdate = 3 };

/// Key of the checksum of a tensor.
std::string checksum_key(std::string_view tensor);

/// Zeros that lead from `bytes` to a multiple of `alignment`.
constexpr std::uint64_t padding_to(std::uint64_t bytes, std::uint64_t alignment) {
  return (alignment - bytes % alignment) % alignment;
}

/// The number that a name is, if it reads exactly as the number is written and is below `limit`.
std::optional<std::int64_t> number_of(std::string_view name, std::int64_t limit);

/// Errors: kCorruptData, each message starting with `where`, for an id that is empty, repeated, not
/// UTF-8 or holds control characters.
void check_ids(std::span<const std::string> ids, const std::string& where = "");

/// Rows of a source as they lie in a file. Errors: kCorruptData for a number that is not finite or
/// beyond the range of dtype. `block` holds the numbers of rows from `first_row` on.
std::vector<std::byte> encode(std::span<const double> block, const PatternSource& source,
                              std::int64_t first_row, DType dtype);

/// create_memory without a lock of the file that is replaced.
void write_memory(const std::string& path, const PatternSource& source,
                  const CreateMemoryOptions& options);

}  // namespace internal

struct MemoryFile::State {
  explicit State(SafetensorsFile opened);

  void read_body();
  void read_log();
  void apply_add(std::span<const std::byte> payload);
  void apply_forget(std::span<const std::byte> payload);
  void apply_update(std::span<const std::byte> payload);
  std::int64_t live_position(std::int64_t position) const;

  [[noreturn]] void corrupt(const std::string& message) const;
  std::uint64_t body_bytes() const;
  std::int64_t num_patterns() const { return log ? std::ssize(live) : body_rows; }
  std::int64_t position(std::int64_t pattern) const {
    return log ? live[static_cast<std::size_t>(pattern)] : pattern;
  }
  /// Numbers of a pattern, row_bytes of them.
  const std::byte* row(std::int64_t pattern) const;
  /// A name that is stored; empty for a pattern that is called by its position.
  std::string_view stored_name(std::int64_t position) const;
  std::string name(std::int64_t position) const;
  const std::byte* gathered_patterns();
  const std::unordered_map<std::string_view, std::int64_t>& stored_names();
  /// All but the commits of the log, of which one may be damaged without loss.
  void verify_patterns() const;

  SafetensorsFile file;
  const TensorEntry* patterns = nullptr;
  const TensorEntry* ids_bytes = nullptr;
  const TensorEntry* ids_offsets = nullptr;
  DType dtype = DType::kF32;
  std::int64_t body_rows = 0, depth = 0, next_number = 0;
  std::size_t row_bytes = 0;
  bool has_ids = false;

  // With at least one change.
  std::optional<ChangeLog> log;
  std::vector<const std::byte*> rows;         // by position; null: forgotten
  std::vector<std::string_view> added_names;  // of position body_rows + i
  std::vector<std::int64_t> live;             // positions of the patterns, ascending

  std::once_flag gathered_once, stored_names_once;
  std::unique_ptr<std::byte[]> gathered;
  std::unordered_map<std::string_view, std::int64_t> position_of_name;
};

}  // namespace hopfield::store

#endif  // HOPFIELD_SRC_STORE_MEMORY_FORMAT_H_
