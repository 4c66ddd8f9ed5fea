#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <unordered_map>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/base/text.h"
#include "hopfield/base/version.h"
#include "hopfield/store/memory_file.h"
#include "store/memory_format.h"
#include "store/numbers.h"

namespace hopfield::store {
namespace internal {
namespace {

constexpr std::int64_t kBlockNumbers = std::int64_t{1} << 15;

}  // namespace

std::string checksum_key(std::string_view tensor) {
  return "crc32." + std::string(tensor);
}

std::optional<std::int64_t> number_of(std::string_view name, std::int64_t limit) {
  std::int64_t number = -1;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (read.ec != std::errc() || number < 0 || number >= limit) return std::nullopt;
  if (std::to_string(number) != name) return std::nullopt;
  return number;
}

void check_ids(std::span<const std::string> ids, const std::string& where) {
  std::unordered_map<std::string_view, std::size_t> seen;
  seen.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto bad = [&where, i](const std::string& message) {
      fail(ErrorCode::kCorruptData, kMemoryOp,
           where + "id " + std::to_string(i + 1) + ": " + message);
    };
    if (ids[i].empty()) bad("expected text, got an empty one");
    if (!is_utf8(ids[i])) bad("expected UTF-8, got other bytes");
    if (has_control(ids[i])) {
      bad("expected text without control characters, got one");
    }
    const auto [it, is_new] = seen.emplace(ids[i], i);
    if (!is_new) {
      bad("expected each id once, got '" + ids[i] + "' already as id " +
          std::to_string(it->second + 1));
    }
  }
}

std::vector<std::byte> encode(std::span<const double> block, const PatternSource& source,
                              std::int64_t first_row, DType dtype) {
  std::vector<std::byte> bytes(block.size() * dtype_bytes(dtype));
  std::byte* out = bytes.data();
  for (std::size_t i = 0; i < block.size(); ++i) {
    const auto value = static_cast<float>(block[i]);
    float kept = value;
    if (dtype == DType::kF32) {
      std::memcpy(out, &value, sizeof value);
    } else {
      const std::uint16_t bits = dtype == DType::kBF16 ? to_bf16(value).bits : to_f16(value).bits;
      kept = dtype == DType::kBF16 ? to_f32(BF16{bits}) : to_f32(F16{bits});
      std::memcpy(out, &bits, sizeof bits);
    }
    out += dtype_bytes(dtype);
    if (!std::isfinite(kept)) {
      const auto at = static_cast<std::int64_t>(i);
      const std::string where =
          source.where(first_row + at / source.depth, at % source.depth) + ": ";
      if (std::isnan(block[i]))
        fail(ErrorCode::kCorruptData, kMemoryOp, where + "expected a finite number, got NaN");
      if (std::isinf(block[i])) {
        fail(ErrorCode::kCorruptData, kMemoryOp,
             where + "expected a finite number, got an infinity");
      }
      fail(ErrorCode::kCorruptData, kMemoryOp,
           where + "expected a number within the range of " + std::string(dtype_name(dtype)) +
               ", got " + std::to_string(block[i]) + "; scale the patterns or choose another type");
    }
  }
  return bytes;
}

namespace {

/// Appends the codes of a row and its scale.
void encode_row(std::span<const double> row, const PatternSource& source, std::int64_t row_index,
                EncodedPatterns& out) {
  double largest = 0;
  for (const double x : row) largest = std::max(largest, std::abs(x));
  const auto scale = static_cast<float>(largest / 127);
  // A scale below the normal numbers would be too coarse for the bound that recalls rely on.
  if (largest > 0 && scale < std::numeric_limits<float>::min()) {
    fail(ErrorCode::kCorruptData, kMemoryOp,
         source.where(row_index, 0) +
             ": expected a row of zeros or with a number of size 127 * 2^-126 (some 1.5e-36) or " +
             "more for int8, got smaller ones; scale the patterns or choose another type");
  }
  if (!std::isfinite(127 * scale)) {
    fail(ErrorCode::kCorruptData, kMemoryOp,
         source.where(row_index, 0) +
             ": expected numbers within the range of int8 with an f32 scale, got larger ones; " +
             "scale the patterns or choose another type");
  }
  for (const double x : row) {
    const double code = scale > 0 ? std::nearbyint(x / static_cast<double>(scale)) : 0;
    out.patterns.push_back(static_cast<std::byte>(static_cast<std::int8_t>(code)));
  }
  const auto bytes = std::as_bytes(std::span(&scale, 1));
  out.scales.insert(out.scales.end(), bytes.begin(), bytes.end());
}

}  // namespace

EncodedPatterns encode_patterns(std::span<const double> block, const PatternSource& source,
                                std::int64_t first_row, DType dtype, std::optional<DType> exact) {
  EncodedPatterns out;
  if (dtype != DType::kI8) {
    out.patterns = encode(block, source, first_row, dtype);
    return out;
  }
  // Also what refuses numbers that are not finite.
  out.exact = encode(block, source, first_row, exact.value_or(DType::kF32));
  std::vector<double> kept(block.begin(), block.end());
  if (exact) {
    convert(out.exact, tensor_type(*exact), kept.data(), std::ssize(kept));
  } else {
    out.exact.clear();
  }
  const auto depth = static_cast<std::size_t>(source.depth);
  out.patterns.reserve(kept.size());
  for (std::size_t i = 0; i < kept.size(); i += depth) {
    encode_row(std::span(kept).subspan(i, depth), source,
               first_row + static_cast<std::int64_t>(i / depth), out);
  }
  return out;
}

void check_attachments(const Attachments& attached, std::int64_t num_patterns) {
  const auto check_count = [num_patterns](std::int64_t count, const std::string& what) {
    require(count == num_patterns, kMemoryOp,
            "expected " + what + " for each of " + std::to_string(num_patterns) +
                " patterns, got " + std::to_string(count));
  };
  if (attached.values != nullptr) check_count(attached.values->num_patterns, "a value");
  if (!attached.metadata.empty()) check_count(std::ssize(attached.metadata), "metadata");
  for (std::size_t i = 0; i < attached.metadata.size(); ++i) {
    const std::string flaw = metadata_flaw(attached.metadata[i]);
    if (flaw.empty()) continue;
    const std::string& file = attached.metadata_file;
    fail(ErrorCode::kCorruptData, kMemoryOp,
         (file.empty() ? "metadata " : "'" + file + "', line ") + std::to_string(i + 1) + ": " +
             flaw);
  }
}

PackedTexts::PackedTexts(std::span<const std::string> texts) {
  for (const std::string& text : texts) {
    bytes += text;
    offsets.push_back(std::ssize(bytes));
  }
}

namespace {

void require_float(DType dtype, std::string_view what) {
  require(dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16, kMemoryOp,
          "expected " + std::string(what) + " of dtype f32, bf16 or f16, got " +
              std::string(dtype_name(dtype)));
}

/// Calls take(numbers, first row) for all rows, block after block.
template <class Take>
void for_blocks(const PatternSource& source, const std::function<bool()>& cancelled,
                const Take& take) {
  const std::int64_t block = std::max<std::int64_t>(1, kBlockNumbers / source.depth);
  for (std::int64_t first = 0; first < source.num_patterns; first += block) {
    if (cancelled && cancelled()) {
      fail(ErrorCode::kCancelled, kMemoryOp, "interrupted; nothing was changed");
    }
    const std::int64_t count = std::min(block, source.num_patterns - first);
    const std::vector<double> rows = source.rows(first, count);
    HOPFIELD_CHECK(rows.size() == static_cast<std::uint64_t>(count * source.depth));
    take(rows, first);
  }
}

}  // namespace

void write_memory(const std::string& path, const PatternSource& source,
                  const CreateMemoryOptions& options) {
  const bool codes = options.dtype == DType::kI8;
  if (!codes) require_float(options.dtype, "patterns");
  if (codes && options.exact) require_float(*options.exact, "exact rows");
  require_float(options.values_dtype, "values");
  const PatternSource* values = options.attached.values;
  require(source.num_patterns >= 0 && source.depth >= 1, kMemoryOp,
          "expected patterns [S, d] with d >= 1, got [" + std::to_string(source.num_patterns) +
              ", " + std::to_string(source.depth) + "]");
  require(values == nullptr || values->depth >= 1, kMemoryOp,
          "expected values [S, dv] with dv >= 1, got dv = 0");
  require(options.ids.empty() || std::ssize(options.ids) == source.num_patterns, kMemoryOp,
          "expected an id for each of " + std::to_string(source.num_patterns) + " patterns, got " +
              std::to_string(options.ids.size()));
  check_ids(options.ids);
  check_attachments(options.attached, source.num_patterns);

  const bool with_metadata = !options.attached.metadata.empty();
  std::vector<TensorEntry> entries;
  std::map<std::string, std::string> metadata = {
      {"format", kMemoryFormat},
      {"version", codes                                ? "3"
                  : values != nullptr || with_metadata ? "2"
                                                       : "1"},
      {"generator", std::string("hopfield ") + version()},
      {kHeaderChecksum, "00000000"}};
  if (options.next_number > source.num_patterns) {
    metadata[kNextNumber] = std::to_string(options.next_number);
  }
  const auto add_rows = [&](const char* name, const PatternSource& rows, DType dtype) {
    entries.push_back({name, tensor_type(dtype), {rows.num_patterns, rows.depth}, 0, 0});
  };
  const auto add_texts = [&](const std::string& name, const PackedTexts& texts) {
    entries.push_back({name + ".offsets", TensorType::kI64, {std::ssize(texts.offsets)}, 0, 0});
    entries.push_back({name + ".bytes", TensorType::kU8, {std::ssize(texts.bytes)}, 0, 0});
  };
  const PackedTexts ids(options.ids), texts(options.attached.metadata);
  add_rows("patterns", source, options.dtype);
  if (codes) entries.push_back({"scales", TensorType::kF32, {source.num_patterns}, 0, 0});
  if (codes && options.exact) add_rows("exact", source, *options.exact);
  if (values != nullptr) add_rows("values", *values, options.values_dtype);
  if (!options.ids.empty()) add_texts("ids", ids);
  if (with_metadata) add_texts("metadata", texts);
  for (const TensorEntry& entry : entries) metadata[checksum_key(entry.name)] = "00000000";

  SafetensorsWriter writer(path, std::move(entries), std::move(metadata),
                           {options.if_exists, kHeaderChecksum});
  std::map<std::string, std::uint32_t> checksums;
  const auto append = [&](const std::string& tensor, std::span<const std::byte> bytes) {
    std::uint32_t& crc = checksums[tensor];
    crc = crc32(bytes, crc);
    writer.append(tensor, bytes);
  };
  const auto append_texts = [&](const std::string& name, const PackedTexts& packed) {
    append(name + ".offsets", std::as_bytes(std::span(packed.offsets)));
    append(name + ".bytes", std::as_bytes(std::span(packed.bytes)));
  };
  for_blocks(source, options.cancelled, [&](const auto& rows, std::int64_t first) {
    const EncodedPatterns encoded =
        encode_patterns(rows, source, first, options.dtype, options.exact);
    append("patterns", encoded.patterns);
    if (codes) append("scales", encoded.scales);
    if (codes && options.exact) append("exact", encoded.exact);
  });
  if (values != nullptr) {
    for_blocks(*values, options.cancelled, [&](const auto& rows, std::int64_t first) {
      append("values", encode(rows, *values, first, options.values_dtype));
    });
  }
  if (!options.ids.empty()) append_texts("ids", ids);
  if (with_metadata) append_texts("metadata", texts);
  for (const TensorEntry& entry : writer.tensors()) {
    writer.replace_metadata(checksum_key(entry.name), crc32_text(checksums[entry.name]));
  }
  writer.commit();
}

void write_copy(const MemoryFile& memory, const std::string& path, IfExists if_exists,
                const std::function<bool()>& cancelled) {
  CreateMemoryOptions options;
  std::vector<std::string> ids, metadata;
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    if (memory.has_ids()) ids.push_back(memory.id(i));
    if (memory.has_metadata()) metadata.push_back(memory.metadata(i));
  }
  PatternSource values;
  if (memory.has_values()) {
    values = value_source(memory);
    options.attached.values = &values;
  }
  options.dtype = memory.dtype();
  options.exact = memory.exact_dtype();
  options.values_dtype = memory.values_dtype();
  options.ids = ids;
  options.attached.metadata = metadata;
  options.next_number = memory.next_number();
  options.if_exists = if_exists;
  options.cancelled = cancelled;
  write_memory(path, pattern_source(memory), options);
}

}  // namespace internal

namespace {

/// A writer of the old file must not go on to acknowledge changes that nobody will find.
std::unique_ptr<ChangeableFile> lock_replaced(const std::string& path, IfExists if_exists) {
  if (if_exists == IfExists::kReplace && path_exists(path)) return open_for_changes(path);
  return nullptr;
}

}  // namespace

void create_memory(const std::string& path, const PatternSource& source,
                   const CreateMemoryOptions& options) {
  const auto lock = lock_replaced(path, options.if_exists);
  internal::write_memory(path, source, options);
}

void copy_memory(const MemoryFile& memory, const std::string& path, IfExists if_exists,
                 const std::function<bool()>& cancelled) {
  const auto lock = lock_replaced(path, if_exists);
  internal::write_copy(memory, path, if_exists, cancelled);
}

}  // namespace hopfield::store
