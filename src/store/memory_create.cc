#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <unordered_map>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/base/version.h"
#include "hopfield/store/memory_file.h"
#include "store/memory_format.h"

namespace hopfield::store {
namespace internal {
namespace {

constexpr std::int64_t kBlockNumbers = std::int64_t{1} << 18;

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

/// First byte that is not UTF-8; size() if all is well.
std::size_t first_bad_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xC2 ? 9
                             : lead < 0xE0 ? 1
                             : lead < 0xF0 ? 2
                             : lead < 0xF5 ? 3
                                           : 9;
    if (more == 9 || more > text.size() - i - 1) return i;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0u) != 0x80u) return i;
    }
    if (more >= 2) {  // overlong forms, surrogates, beyond the last code point
      const auto second = static_cast<unsigned char>(text[i + 1]);
      if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
          (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90)) {
        return i;
      }
    }
    i += more + 1;
  }
  return text.size();
}

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
    if (first_bad_utf8(ids[i]) != ids[i].size()) bad("expected UTF-8, got other bytes");
    if (std::any_of(ids[i].begin(), ids[i].end(), is_control)) {
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

void write_memory(const std::string& path, const PatternSource& source,
                  const CreateMemoryOptions& options) {
  require(options.dtype != DType::kF64, kMemoryOp, "expected dtype f32, bf16 or f16, got f64");
  require(source.num_patterns >= 0 && source.depth >= 1, kMemoryOp,
          "expected patterns [S, d] with d >= 1, got [" + std::to_string(source.num_patterns) +
              ", " + std::to_string(source.depth) + "]");
  const bool with_ids = !options.ids.empty();
  require(!with_ids || options.ids.size() == static_cast<std::uint64_t>(source.num_patterns),
          kMemoryOp,
          "expected an id for each of " + std::to_string(source.num_patterns) + " patterns, got " +
              std::to_string(options.ids.size()));
  check_ids(options.ids);
  std::string ids_bytes;
  std::vector<std::int64_t> ids_offsets = {0};
  for (const std::string& id : options.ids) {
    ids_bytes += id;
    ids_offsets.push_back(static_cast<std::int64_t>(ids_bytes.size()));
  }

  std::vector<TensorEntry> entries = {
      {"patterns", tensor_type(options.dtype), {source.num_patterns, source.depth}, 0, 0}};
  std::map<std::string, std::string> metadata = {
      {"format", kMemoryFormat},
      {"version", "1"},
      {"generator", std::string("hopfield ") + version()},
      {kHeaderChecksum, "00000000"},
      {checksum_key("patterns"), "00000000"}};
  if (options.next_number > source.num_patterns) {
    metadata[kNextNumber] = std::to_string(options.next_number);
  }
  if (with_ids) {
    entries.push_back({"ids.offsets", TensorType::kI64, {source.num_patterns + 1}, 0, 0});
    entries.push_back(
        {"ids.bytes", TensorType::kU8, {static_cast<std::int64_t>(ids_bytes.size())}, 0, 0});
    metadata[checksum_key("ids.offsets")] = "00000000";
    metadata[checksum_key("ids.bytes")] = "00000000";
  }
  SafetensorsWriter writer(path, std::move(entries), std::move(metadata),
                           {options.if_exists, kHeaderChecksum});
  const auto write_patterns = [&] {
    std::uint32_t crc = 0;
    const std::int64_t block = std::max<std::int64_t>(1, kBlockNumbers / source.depth);
    for (std::int64_t first = 0; first < source.num_patterns; first += block) {
      if (options.cancelled && options.cancelled()) {
        fail(ErrorCode::kCancelled, kMemoryOp, "interrupted; nothing was changed");
      }
      const std::int64_t count = std::min(block, source.num_patterns - first);
      const std::vector<double> rows = source.rows(first, count);
      HOPFIELD_CHECK(rows.size() == static_cast<std::uint64_t>(count * source.depth));
      const std::vector<std::byte> bytes = encode(rows, source, first, options.dtype);
      crc = crc32(bytes, crc);
      writer.append(bytes);
    }
    return crc;
  };
  for (const TensorEntry& entry : std::vector<TensorEntry>(writer.tensors())) {
    std::uint32_t crc = 0;
    if (entry.name == "patterns") {
      crc = write_patterns();
    } else {
      const std::span<const std::byte> bytes =
          entry.name == "ids.bytes"
              ? std::as_bytes(std::span<const char>(ids_bytes.data(), ids_bytes.size()))
              : std::as_bytes(std::span<const std::int64_t>(ids_offsets));
      crc = crc32(bytes);
      writer.append(bytes);
    }
    writer.replace_metadata(checksum_key(entry.name), crc32_text(crc));
  }
  writer.commit();
}

}  // namespace internal

void create_memory(const std::string& path, const PatternSource& source,
                   const CreateMemoryOptions& options) {
  // A writer of the old file must not go on to acknowledge changes that nobody will find.
  std::unique_ptr<ChangeableFile> lock;
  if (options.if_exists == IfExists::kReplace && path_exists(path)) lock = open_for_changes(path);
  internal::write_memory(path, source, options);
}

}  // namespace hopfield::store
