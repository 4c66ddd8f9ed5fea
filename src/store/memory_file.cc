#include "hopfield/store/memory_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/base/version.h"
#include "store/numbers.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "memory";
constexpr const char* kFormat = "hopfield.memory";
constexpr const char* kHeaderChecksum = "crc32.header";
constexpr std::int64_t kBlockNumbers = std::int64_t{1} << 18;

std::string checksum_key(std::string_view tensor) {
  return "crc32." + std::string(tensor);
}

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

void check_ids(std::span<const std::string> ids) {
  std::unordered_map<std::string_view, std::size_t> seen;
  seen.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string number = "id " + std::to_string(i + 1) + ": ";
    const auto bad = [&number](const std::string& message) {
      fail(ErrorCode::kCorruptData, kOp, number + message);
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

/// Numbers of one block as they will lie in the file.
std::vector<std::byte> encode(const std::vector<double>& block, const PatternSource& source,
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
        fail(ErrorCode::kCorruptData, kOp, where + "expected a finite number, got NaN");
      if (std::isinf(block[i])) {
        fail(ErrorCode::kCorruptData, kOp, where + "expected a finite number, got an infinity");
      }
      fail(ErrorCode::kCorruptData, kOp,
           where + "expected a number within the range of " + std::string(dtype_name(dtype)) +
               ", got " + std::to_string(block[i]) + "; scale the patterns or choose another type");
    }
  }
  return bytes;
}

}  // namespace

MemoryFile::MemoryFile(const std::string& path) : file_(path) {
  const auto corrupt = [this](const std::string& message) {
    fail(ErrorCode::kCorruptData, kOp, "'" + file_.path() + "': " + message);
  };
  const auto& metadata = file_.metadata();
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kFormat) {
    corrupt(
        "expected a memory, got another safetensors file; make one with hopfield memory create");
  }
  const auto stated = metadata.find("version");
  if (stated != metadata.end() && stated->second != "1" && !stated->second.empty() &&
      stated->second.size() < 9 &&
      stated->second.find_first_not_of("0123456789") == std::string::npos &&
      header_checksum_matches(file_, kHeaderChecksum)) {
    fail(ErrorCode::kUnsupported, kOp,
         "'" + file_.path() + "': expected version 1, got " + stated->second +
             "; read it with a newer hopfield");
  }
  if (!header_checksum_matches(file_, kHeaderChecksum)) {
    corrupt("expected the header's checksum to fit, it does not; the file is damaged");
  }
  if (stated == metadata.end() || stated->second != "1") corrupt("expected a version, got none");
  for (const TensorEntry& entry : file_.tensors()) {
    if (entry.name != "patterns" && entry.name != "ids.bytes" && entry.name != "ids.offsets") {
      corrupt("expected tensors patterns and ids, got also '" + entry.name + "'");
    }
    if (metadata.count(checksum_key(entry.name)) == 0) {
      corrupt("expected a checksum of tensor '" + entry.name + "', got none");
    }
  }
  patterns_ = &file_.at("patterns");
  const std::optional<DType> dtype = float_dtype(patterns_->type);
  if (!dtype || *dtype == DType::kF64 || patterns_->shape.size() != 2 || patterns_->shape[1] < 1) {
    corrupt("tensor 'patterns': expected F32, BF16 or F16 of shape [S, d], got " +
            std::string(tensor_type_name(patterns_->type)) + " " + shape_text(patterns_->shape));
  }
  dtype_ = *dtype;
  num_patterns_ = patterns_->shape[0];
  depth_ = patterns_->shape[1];
  num_bytes_ = 8 + file_.header().size();
  for (const TensorEntry& entry : file_.tensors()) num_bytes_ += entry.num_bytes;

  // Kernels read numbers in place.
  if (patterns_->offset % dtype_bytes(dtype_) != 0) {
    corrupt("tensor 'patterns': expected to start at a multiple of its element size, got byte " +
            std::to_string(patterns_->offset));
  }

  const TensorEntry* bytes = file_.find("ids.bytes");
  ids_offsets_ = file_.find("ids.offsets");
  ids_bytes_ = bytes;
  if (bytes == nullptr && ids_offsets_ == nullptr) return;
  if (bytes == nullptr || ids_offsets_ == nullptr || bytes->type != TensorType::kU8 ||
      bytes->shape.size() != 1 || ids_offsets_->type != TensorType::kI64 ||
      ids_offsets_->shape != std::vector<std::int64_t>{num_patterns_ + 1}) {
    corrupt("expected ids.bytes of type U8 [n] and ids.offsets of type I64 [" +
            std::to_string(num_patterns_ + 1) + "], got something else");
  }
}

std::int64_t MemoryFile::offset(std::int64_t i) const {
  return internal::load<std::int64_t>(file_.bytes(*ids_offsets_).data() +
                                      static_cast<std::size_t>(i) * sizeof(std::int64_t));
}

PatternView MemoryFile::patterns() const {
  PatternView view;
  view.data = num_patterns_ > 0 ? file_.bytes(*patterns_).data() : nullptr;
  view.dtype = dtype_;
  view.rows = num_patterns_;
  view.depth = depth_;
  view.row_stride = depth_;
  view.head_stride = depth_;
  return view;
}

std::string MemoryFile::id(std::int64_t pattern) const {
  require(pattern >= 0 && pattern < num_patterns_, kOp,
          "expected a pattern below " + std::to_string(num_patterns_) + ", got " +
              std::to_string(pattern));
  if (!has_ids()) return std::to_string(pattern);
  const std::int64_t first = offset(pattern), end = offset(pattern + 1);
  if (first < 0 || first > end || end > ids_bytes_->shape[0]) {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path() + "': tensor 'ids.offsets': expected ascending offsets up to " +
             std::to_string(ids_bytes_->shape[0]) + ", got " + std::to_string(first) + " and " +
             std::to_string(end) + "; the file is damaged");
  }
  const std::span<const std::byte> bytes = file_.bytes(*ids_bytes_);
  return {reinterpret_cast<const char*>(bytes.data()) + first,
          static_cast<std::size_t>(end - first)};
}

void MemoryFile::verify() const {
  for (const TensorEntry& entry : file_.tensors()) {
    if (crc32_text(crc32(file_.bytes(entry))) != file_.metadata().at(checksum_key(entry.name))) {
      fail(ErrorCode::kCorruptData, kOp,
           "'" + path() + "': expected the checksum of tensor '" + entry.name +
               "' to fit, it does not; the file is damaged, restore it from a copy");
    }
  }
  for (std::int64_t i = 0; has_ids() && i < num_patterns_; ++i) (void)id(i);
  const std::span<const std::byte> bytes = file_.bytes(*patterns_);
  std::vector<float> row(static_cast<std::size_t>(depth_));
  const std::size_t row_bytes = row.size() * dtype_bytes(dtype_);
  for (std::int64_t i = 0; i < num_patterns_; ++i) {
    internal::convert(bytes.subspan(static_cast<std::size_t>(i) * row_bytes, row_bytes),
                      patterns_->type, row.data(), depth_);
    const auto bad =
        std::find_if(row.begin(), row.end(), [](float x) { return !std::isfinite(x); });
    if (bad != row.end()) {
      fail(ErrorCode::kCorruptData, kOp,
           "'" + path() + "': expected finite numbers, got another in row " + std::to_string(i) +
               ", column " + std::to_string(bad - row.begin()) + " (counted from 0)");
    }
  }
}

void create_memory(const std::string& path, const PatternSource& source,
                   const CreateMemoryOptions& options) {
  require(options.dtype != DType::kF64, kOp, "expected dtype f32, bf16 or f16, got f64");
  require(source.num_patterns >= 0 && source.depth >= 1, kOp,
          "expected patterns [S, d] with d >= 1, got [" + std::to_string(source.num_patterns) +
              ", " + std::to_string(source.depth) + "]");
  const bool with_ids = !options.ids.empty();
  require(!with_ids || options.ids.size() == static_cast<std::uint64_t>(source.num_patterns), kOp,
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
      {"format", kFormat},
      {"version", "1"},
      {"generator", std::string("hopfield ") + version()},
      {kHeaderChecksum, "00000000"},
      {checksum_key("patterns"), "00000000"}};
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
        fail(ErrorCode::kCancelled, kOp, "interrupted; nothing was changed");
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

}  // namespace hopfield::store
