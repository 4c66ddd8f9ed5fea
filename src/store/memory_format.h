#ifndef HOPFIELD_SRC_STORE_MEMORY_FORMAT_H_
#define HOPFIELD_SRC_STORE_MEMORY_FORMAT_H_

#include <array>
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
#include "store/numbers.h"

// What reading and writing memories share; docs/formats/memory.md.
namespace hopfield::store {
namespace internal {

inline constexpr std::string_view kMemoryOp = "memory";
inline constexpr const char* kMemoryFormat = "hopfield.memory";
inline constexpr const char* kHeaderChecksum = "crc32.header";
inline constexpr const char* kNextNumber = "next_number";
inline constexpr std::uint64_t kLogAlignment = 64;
inline constexpr std::string_view kNoMetadata = "{}";

enum class ChangeKind : std::uint32_t {
  kAdd = 1,
  kForget = 2,
  kUpdate = 3,
  kAddWith = 4,  // 4 and 5: with values or metadata
  kUpdateWith = 5
};

/// What a change of kind 4 or 5 brings for each of its patterns.
enum Part : std::int64_t { kPatterns = 1, kValues = 2, kMetadata = 4 };

/// Numbers and texts as they lie in a file.
inline std::int64_t number_at(std::span<const std::byte> numbers, std::size_t i) {
  return load<std::int64_t>(numbers.data() + i * sizeof(std::int64_t));
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

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

/// Whether a text holds a control character.
bool has_control(std::string_view text);

/// What keeps a text from being metadata, such as "expected a JSON object, got ..."; empty if
/// nothing does.
std::string metadata_flaw(std::string_view text);

/// Errors: kInvalidArgument unless each kind is there for `num_patterns` patterns or not at all;
/// kCorruptData for metadata that is none.
void check_attachments(const Attachments& attached, std::int64_t num_patterns);

/// Texts as they lie in a file: offsets, then bytes.
struct PackedTexts {
  explicit PackedTexts(std::span<const std::string> texts);
  std::vector<std::int64_t> offsets = {0};
  std::string bytes;
};

/// Rows of a source as they lie in a file, not as codes. Errors: kCorruptData for a number that is
/// not finite or beyond the range of dtype. `block` holds the numbers of rows from `first_row` on.
std::vector<std::byte> encode(std::span<const double> block, const PatternSource& source,
                              std::int64_t first_row, DType dtype);

/// What becomes of rows of patterns; scales and exact rows where there are such tensors.
struct EncodedPatterns {
  std::vector<std::byte> patterns, scales, exact;
};
/// The same of any dtype; `exact` as in CreateMemoryOptions. Errors: as encode; kCorruptData for a
/// row that is too small for codes.
EncodedPatterns encode_patterns(std::span<const double> block, const PatternSource& source,
                                std::int64_t first_row, DType dtype, std::optional<DType> exact);

/// How far, in units of its scale, a number may lie from its code: half a unit and the rounding of
/// the quotient.
inline constexpr double kCodeError = 0.5 + 0x1p-40;

/// create_memory without a lock of the file that is replaced.
void write_memory(const std::string& path, const PatternSource& source,
                  const CreateMemoryOptions& options);

/// copy_memory without that lock.
void write_copy(const MemoryFile& memory, const std::string& path, IfExists if_exists,
                const std::function<bool()>& cancelled);

/// What is made when it is first asked for.
template <class T>
struct Lazy {
  std::once_flag once;
  T value;
};

/// The rows of a memory's patterns or of its values.
struct Table {
  bool given() const { return tensor != nullptr; }
  const std::byte* row(std::int64_t position) const {
    const auto at = static_cast<std::size_t>(position);
    return rows.empty() ? body + at * row_bytes : rows[at];
  }

  const TensorEntry* tensor = nullptr;
  DType dtype = DType::kF32;
  std::int64_t depth = 0;
  std::size_t row_bytes = 0;
  const std::byte* body = nullptr;
  std::vector<const std::byte*> rows;  // by position, with at least one change
  using Gathered = Lazy<std::unique_ptr<std::byte[]>>;
  std::unique_ptr<Gathered> gathered = std::make_unique<Gathered>();  // the rows of `live`
};

/// Texts of the body, one a pattern.
struct Texts {
  bool given() const { return offsets != nullptr; }

  const TensorEntry* bytes = nullptr;
  const TensorEntry* offsets = nullptr;
};

class Payload;

}  // namespace internal

struct MemoryFile::State {
  explicit State(SafetensorsFile opened);

  void read_body();
  void read_version();
  void read_table(internal::Table& table, std::string_view name);
  void read_scales();
  void read_texts(internal::Texts& texts, const std::string& name);
  void read_log();
  void apply_add(const Change& change);
  void apply_forget(std::span<const std::byte> payload);
  void apply_update(const Change& change);
  void apply_parts(internal::Payload& in, std::int64_t parts,
                   std::span<const std::int64_t> positions);
  std::int64_t live_position(std::int64_t position) const;
  /// The patterns are those of these positions; forgets what was made of others.
  void select(std::vector<std::int64_t> positions);
  /// Errors: kInvalidArgument.
  void require_pattern(std::int64_t pattern) const;

  [[noreturn]] void corrupt(const std::string& message) const;
  std::uint64_t body_bytes() const;
  std::int64_t num_patterns() const { return selected ? std::ssize(live) : body_rows; }
  std::int64_t num_positions() const { return body_rows + std::ssize(added_names); }
  std::int64_t position(std::int64_t pattern) const {
    return selected ? live[static_cast<std::size_t>(pattern)] : pattern;
  }
  std::string_view body_text(const internal::Texts& texts, std::int64_t position) const;
  /// A name that is stored; empty for a pattern that is called by its position.
  std::string_view stored_name(std::int64_t position) const;
  std::string name(std::int64_t position) const;
  std::string_view metadata(std::int64_t position) const;
  PatternView view(internal::Table& table);
  PatternView patterns_view();
  /// Row of a table as doubles; codes times their scale.
  void load_row(const internal::Table& table, std::int64_t position, double* out) const;
  PatternSource source(const internal::Table& table, const std::string& what) const;
  const std::unordered_map<std::string_view, std::int64_t>& stored_names();
  /// All but the commits of the log, of which one may be damaged without loss.
  void verify_patterns() const;
  void verify_numbers(const internal::Table& table, const std::string& what) const;
  void verify_codes() const;
  /// The tensors that hold numbers, whether given or not, as a change brings them.
  std::array<internal::Table*, 3> pattern_tables() { return {&patterns, &scales, &exact}; }
  std::array<internal::Table*, 4> tables() { return {&patterns, &scales, &exact, &values}; }

  SafetensorsFile file;
  std::int64_t version = 1, body_rows = 0, next_number = 0;
  internal::Table patterns, scales, exact, values;
  internal::Texts ids, metadata_texts;
  bool has_ids = false, has_metadata = false;

  // With at least one change.
  std::optional<ChangeLog> log;
  std::vector<std::string_view> added_names;                            // of position body_rows + i
  std::unordered_map<std::int64_t, std::string_view> changed_metadata;  // by position
  std::int64_t num_forgotten = 0;

  bool selected = false;           // the patterns are those of `live`
  std::vector<std::int64_t> live;  // positions of the patterns, ascending

  using Names = internal::Lazy<std::unordered_map<std::string_view, std::int64_t>>;
  std::unique_ptr<Names> position_of_name = std::make_unique<Names>();
};

}  // namespace hopfield::store

#endif  // HOPFIELD_SRC_STORE_MEMORY_FORMAT_H_
