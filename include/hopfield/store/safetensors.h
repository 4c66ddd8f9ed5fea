#ifndef HOPFIELD_STORE_SAFETENSORS_H_
#define HOPFIELD_STORE_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/dtype.h"
#include "hopfield/base/os.h"

namespace hopfield::store {

/// Element types of the safetensors format that this project reads and writes.
enum class TensorType : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kF16,
  kBF16,
  kU32,
  kI32,
  kF32,
  kU64,
  kI64,
  kF64,
};

/// Bytes of one element.
std::size_t tensor_type_bytes(TensorType type);

/// As the format spells it: "F32", "BOOL", ...
std::string_view tensor_type_name(TensorType type);

TensorType tensor_type(DType dtype);
/// Nothing for the types that are no floating-point numbers.
std::optional<DType> float_dtype(TensorType type);

/// One tensor as a header describes it.
struct TensorEntry {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  ///< [] is a single number
  std::uint64_t offset = 0;         ///< of its first byte in the file
  std::uint64_t num_bytes = 0;

  std::int64_t num_elements() const;
};

/// "[2, 3]"
std::string shape_text(std::span<const std::int64_t> shape);

/// What follows the last tensor of a file: an error, or the business of somebody else.
enum class Tail : std::uint8_t { kRefuse, kAllow };

/// A safetensors file, read only: 8-byte little-endian header length, JSON header, raw
/// little-endian tensors that cover the rest without gap or overlap.
///
/// Errors   kIo if the file cannot be read; kCorruptData with file and tensor for everything that
///          breaks the format: header longer than the file or than 100,000,000 bytes, no JSON,
///          duplicate names, unknown types, negative or overflowing shapes, offsets outside the
///          file, extents that disagree with type and shape, overlaps, gaps, bytes after the last
///          tensor (unless Tail::kAllow). Time and memory stay proportional to the header, whatever
///          it claims.
/// Threads  const after construction. Spans stay valid while the object lives (and moves).
class SafetensorsFile {
 public:
  /// Maps the file; tensors are read when touched.
  explicit SafetensorsFile(const std::string& path, Tail tail = Tail::kRefuse);

  /// The same over bytes that somebody else keeps alive; `origin` names them in messages.
  SafetensorsFile(std::span<const std::byte> bytes, std::string origin, Tail tail = Tail::kRefuse);

  const std::string& path() const { return path_; }

  /// The header's __metadata__.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// In the order of their bytes.
  const std::vector<TensorEntry>& tensors() const { return tensors_; }

  /// Null if there is no such tensor.
  const TensorEntry* find(std::string_view name) const;

  /// Errors: kCorruptData naming the file and the tensors it has.
  const TensorEntry& at(std::string_view name) const;

  /// Raw bytes of a tensor of this file, of any alignment.
  std::span<const std::byte> bytes(const TensorEntry& entry) const;

  /// The JSON header without its length, padding included.
  std::span<const std::byte> header() const { return header_; }

  /// What follows the last tensor; empty unless Tail::kAllow.
  std::span<const std::byte> tail() const { return tail_; }

  /// A copy in C order. T: float, double, std::int64_t, std::int32_t, std::uint8_t, bool's bytes as
  /// std::uint8_t, BF16, F16. The stored type must be T's own, or one that T holds exactly (BF16,
  /// F16 and F32 into float and double; narrower integers into wider ones). Errors: kCorruptData
  /// naming tensor, expected and found type.
  template <class T>
  std::vector<T> read(const TensorEntry& entry) const {
    return read_part<T>(entry, 0, entry.num_elements());
  }
  template <class T>
  std::vector<T> read(std::string_view name) const {
    return read<T>(at(name));
  }

  /// Of these, numbers [first, first + count) only; kInvalidArgument if they are not there.
  template <class T>
  std::vector<T> read_part(const TensorEntry& entry, std::int64_t first, std::int64_t count) const;

 private:
  void parse(std::span<const std::byte> file, Tail tail);

  std::string path_;
  std::optional<MappedFile> file_;
  std::span<const std::byte> bytes_;  // of the tensors
  std::span<const std::byte> header_;
  std::span<const std::byte> tail_;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorEntry> tensors_;
  std::vector<std::size_t> by_name_;
};

/// A tensor to be written; `data` is dense C order and stays the caller's.
struct TensorData {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

/// TensorData over numbers. T: float, double, BF16, F16, std::int64_t, std::int32_t, std::uint8_t.
/// For bool use TensorData itself with kBool and one byte an element.
template <class T>
TensorData tensor_data(std::string name, std::vector<std::int64_t> shape, std::span<const T> data);

struct SafetensorsWriteOptions {
  IfExists if_exists = IfExists::kReplace;
  /// A key of the metadata whose value is 8 characters long; it is replaced by the CRC-32 of the
  /// header in which that value reads "00000000" (see header_checksum_matches). Empty: none.
  std::string checksum_key;
};

/// Writes a file whose tensors come piece by piece, whole or not at all (AtomicFile).
///
/// Order    tensors keep their order if that leaves each at a multiple of its element size, else
/// they
///          are sorted by falling element size; the first starts at a multiple of 64 bytes. The
///          same arguments give the same bytes.
/// Errors   kInvalidArgument for a name that is empty, repeated or "__metadata__", a negative
/// shape,
///          text that is not UTF-8, bytes that do not fit the entries; kIo.
class SafetensorsWriter {
 public:
  /// Of the entries, name, type and shape are read.
  SafetensorsWriter(const std::string& path, std::vector<TensorEntry> entries,
                    std::map<std::string, std::string> metadata,
                    const SafetensorsWriteOptions& options = {});
  ~SafetensorsWriter();

  /// As they will lie in the file: `append` expects their bytes in this order.
  const std::vector<TensorEntry>& tensors() const;

  void append(std::span<const std::byte> bytes);
  /// Of one tensor: so several can be filled in turn.
  void append(std::string_view tensor, std::span<const std::byte> bytes);

  /// Replaces a value of the metadata by one that takes as many bytes in JSON.
  void replace_metadata(std::string_view key, std::string value);

  /// All bytes must have come. Nothing exists under the path before.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SafetensorsWriter in one call.
void write_safetensors(const std::string& path, std::span<const TensorData> tensors,
                       const std::map<std::string, std::string>& metadata,
                       const SafetensorsWriteOptions& options = {});

/// Whether metadata[checksum_key] is the CRC-32 that the writer put there. Any single flipped bit
/// of the header that leaves it readable makes this false.
bool header_checksum_matches(const SafetensorsFile& file, std::string_view checksum_key);

/// CRC-32 (as zlib and gzip compute it) of bytes, continuing from `crc`.
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// `crc` as 8 lower-case hexadecimal digits.
std::string crc32_text(std::uint32_t crc);

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_SAFETENSORS_H_
