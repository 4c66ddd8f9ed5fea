#include "hopfield/store/memory_file.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "hopfield/base/error.h"
#include "store/memory_format.h"
#include "store/numbers.h"

namespace hopfield::store {
namespace {

using internal::checksum_key;
using internal::kHeaderChecksum;
using internal::kMemoryFormat;
using internal::kMemoryOp;
using internal::kNextNumber;
using internal::number_at;
using internal::Table;
using internal::text_of;
using internal::Texts;

}  // namespace

MemoryFile::State::State(SafetensorsFile opened) : file(std::move(opened)) {
  read_body();
  read_log();
}

void MemoryFile::State::corrupt(const std::string& message) const {
  fail(ErrorCode::kCorruptData, kMemoryOp, "'" + file.path() + "': " + message);
}

std::uint64_t MemoryFile::State::body_bytes() const {
  std::uint64_t bytes = 8 + file.header().size();
  for (const TensorEntry& entry : file.tensors()) bytes += entry.num_bytes;
  return bytes;
}

void MemoryFile::State::require_pattern(std::int64_t pattern) const {
  require(pattern >= 0 && pattern < num_patterns(), kMemoryOp,
          "expected a pattern below " + std::to_string(num_patterns()) + ", got " +
              std::to_string(pattern));
}

void MemoryFile::State::read_version() {
  const auto& metadata = file.metadata();
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kMemoryFormat) {
    corrupt(
        "expected a memory, got another safetensors file; make one with hopfield memory create");
  }
  if (!header_checksum_matches(file, kHeaderChecksum)) {
    corrupt("expected the header's checksum to fit, it does not; the file is damaged");
  }
  const auto stated = metadata.find("version");
  const std::optional<std::int64_t> number =
      stated == metadata.end() ? std::nullopt : internal::number_of(stated->second, 100'000'000);
  if (!number || *number < 1) corrupt("expected a version, got none");
  if (*number > 3) {
    fail(ErrorCode::kUnsupported, kMemoryOp,
         "'" + file.path() + "': expected version 1 to 3, got " + stated->second +
             "; read it with a newer hopfield");
  }
  version = *number;
}

void MemoryFile::State::read_table(Table& table, std::string_view name) {
  table.tensor = &file.at(name);
  const TensorEntry& tensor = *table.tensor;
  const std::string start = "tensor '" + std::string(name) + "': expected ";
  const bool codes = version >= 3 && &table == &patterns;
  std::optional<DType> type = float_dtype(tensor.type);
  if (codes) type = tensor.type == TensorType::kI8 ? std::optional(DType::kI8) : std::nullopt;
  if (!type || *type == DType::kF64 || tensor.shape.size() != 2 || tensor.shape[1] < 1) {
    corrupt(start + (codes ? "I8" : "F32, BF16 or F16") + " of shape [S, d], got " +
            std::string(tensor_type_name(tensor.type)) + " " + shape_text(tensor.shape));
  }
  table.dtype = *type;
  table.depth = tensor.shape[1];
  // Cannot wrap where there is a row; without one it is used for added rows, whose bytes are there.
  if (__builtin_mul_overflow(static_cast<std::size_t>(table.depth), dtype_bytes(table.dtype),
                             &table.row_bytes)) {
    corrupt(start + "a depth that fits 64 bits, got " + std::to_string(table.depth));
  }
  // Kernels read numbers in place.
  if (tensor.offset % dtype_bytes(table.dtype) != 0) {
    corrupt(start + "to start at a multiple of its element size, got byte " +
            std::to_string(tensor.offset));
  }
  table.body = file.bytes(tensor).data();
}

void MemoryFile::State::read_scales() {
  const TensorEntry& tensor = file.at("scales");
  if (tensor.type != TensorType::kF32 || tensor.shape.size() != 1 || tensor.shape[0] != body_rows ||
      tensor.offset % sizeof(float) != 0) {
    corrupt("tensor 'scales': expected F32 of shape [" + std::to_string(body_rows) +
            "] at a multiple of 4 bytes, got " + std::string(tensor_type_name(tensor.type)) + " " +
            shape_text(tensor.shape) + " at byte " + std::to_string(tensor.offset));
  }
  scales.tensor = &tensor;
  scales.depth = 1;
  scales.row_bytes = sizeof(float);
  scales.body = file.bytes(tensor).data();
}

void MemoryFile::State::read_texts(Texts& texts, const std::string& name) {
  texts.bytes = file.find(name + ".bytes");
  texts.offsets = file.find(name + ".offsets");
  if (texts.bytes == nullptr && texts.offsets == nullptr) return;
  if (texts.bytes == nullptr || texts.offsets == nullptr || texts.bytes->type != TensorType::kU8 ||
      texts.bytes->shape.size() != 1 || texts.offsets->type != TensorType::kI64 ||
      texts.offsets->shape.size() != 1 || texts.offsets->shape[0] - 1 != body_rows) {
    corrupt("expected " + name + ".bytes of type U8 [n] and " + name +
            ".offsets of type I64 [S + 1] for " + std::to_string(body_rows) +
            " patterns, got something else");
  }
}

void MemoryFile::State::read_body() {
  read_version();
  const auto& metadata = file.metadata();
  for (const TensorEntry& entry : file.tensors()) {
    const std::string& name = entry.name;
    const bool first = name == "patterns" || name == "ids.bytes" || name == "ids.offsets";
    const bool second = name == "values" || name == "metadata.bytes" || name == "metadata.offsets";
    const bool third = name == "scales" || name == "exact";
    if (!first && !(second && version >= 2) && !(third && version >= 3)) {
      corrupt(std::string("expected tensors patterns and ids") +
              (version >= 2 ? ", values and metadata" : "") +
              (version >= 3 ? ", scales and exact" : "") + ", got also '" + name + "'");
    }
    if (metadata.count(checksum_key(name)) == 0) {
      corrupt("expected a checksum of tensor '" + name + "', got none");
    }
  }
  read_table(patterns, "patterns");
  body_rows = patterns.tensor->shape[0];
  if (version >= 3) read_scales();
  for (Table* table : {&exact, &values}) {
    const std::string name = table == &exact ? "exact" : "values";
    if (file.find(name) == nullptr) continue;
    read_table(*table, name);
    if (table->tensor->shape[0] != body_rows) {
      corrupt("tensor '" + name + "': expected " + std::to_string(body_rows) + " rows, got " +
              std::to_string(table->tensor->shape[0]));
    }
  }
  if (exact.given() && exact.depth != patterns.depth) {
    corrupt("tensor 'exact': expected depth " + std::to_string(patterns.depth) +
            " as that of the patterns, got " + std::to_string(exact.depth));
  }
  next_number = body_rows;
  if (const auto stored = metadata.find(kNextNumber); stored != metadata.end()) {
    const std::optional<std::int64_t> number =
        internal::number_of(stored->second, std::numeric_limits<std::int64_t>::max());
    if (!number) corrupt("expected next_number to be a number, got '" + stored->second + "'");
    next_number = std::max(next_number, *number);
  }
  read_texts(ids, "ids");
  read_texts(metadata_texts, "metadata");
  has_ids = ids.given();
  has_metadata = metadata_texts.given();
}

void MemoryFile::State::select(std::vector<std::int64_t> positions) {
  live = std::move(positions);
  selected = true;
  for (Table* table : tables()) table->gathered = std::make_unique<Table::Gathered>();
  position_of_name = std::make_unique<Names>();
  has_ids = ids.given();
  for (std::int64_t i = 0; !has_ids && i < num_patterns(); ++i) {
    const std::string_view stored = stored_name(position(i));
    has_ids = stored.empty() ? position(i) != i : stored != std::to_string(i);
  }
}

std::string_view MemoryFile::State::body_text(const Texts& texts, std::int64_t position) const {
  const std::span<const std::byte> offsets = file.bytes(*texts.offsets);
  const std::int64_t first = number_at(offsets, static_cast<std::size_t>(position));
  const std::int64_t end = number_at(offsets, static_cast<std::size_t>(position) + 1);
  if (first < 0 || first > end || end > texts.bytes->shape[0]) {
    corrupt("tensor '" + texts.offsets->name + "': expected ascending offsets up to " +
            std::to_string(texts.bytes->shape[0]) + ", got " + std::to_string(first) + " and " +
            std::to_string(end) + "; the file is damaged");
  }
  return text_of(file.bytes(*texts.bytes))
      .substr(static_cast<std::size_t>(first), static_cast<std::size_t>(end - first));
}

std::string_view MemoryFile::State::stored_name(std::int64_t position) const {
  if (position >= body_rows) return added_names[static_cast<std::size_t>(position - body_rows)];
  return ids.given() ? body_text(ids, position) : std::string_view();
}

std::string MemoryFile::State::name(std::int64_t position) const {
  if (position < body_rows && !ids.given()) return std::to_string(position);
  return std::string(stored_name(position));
}

std::string_view MemoryFile::State::metadata(std::int64_t position) const {
  if (const auto changed = changed_metadata.find(position); changed != changed_metadata.end()) {
    return changed->second;
  }
  if (position < body_rows && metadata_texts.given()) return body_text(metadata_texts, position);
  return internal::kNoMetadata;
}

PatternView MemoryFile::State::view(Table& table) {
  PatternView view;
  if (!table.given()) return view;
  if (selected) {
    std::call_once(table.gathered->once, [&] {
      auto& rows = table.gathered->value;
      rows = std::make_unique_for_overwrite<std::byte[]>(live.size() * table.row_bytes);
      for (std::size_t i = 0; i < live.size(); ++i) {
        std::copy_n(table.row(live[i]), table.row_bytes, rows.get() + i * table.row_bytes);
      }
    });
  }
  if (num_patterns() > 0) view.data = selected ? table.gathered->value.get() : table.body;
  view.dtype = table.dtype;
  view.rows = num_patterns();
  view.depth = table.depth;
  view.row_stride = table.depth;
  view.head_stride = table.depth;
  return view;
}

PatternView MemoryFile::State::patterns_view() {
  PatternView codes = view(patterns);
  codes.scales = static_cast<const float*>(view(scales).data);
  return codes;
}

void MemoryFile::State::load_row(const Table& table, std::int64_t position, double* out) const {
  internal::convert({table.row(position), table.row_bytes}, table.tensor->type, out, table.depth);
  if (table.dtype != DType::kI8) return;
  const double scale = internal::load<float>(scales.row(position));
  for (std::int64_t k = 0; k < table.depth; ++k) out[k] *= scale;
}

PatternSource MemoryFile::State::source(const Table& table, const std::string& what) const {
  PatternSource source;
  source.num_patterns = num_patterns();
  source.depth = table.depth;
  source.rows = [this, &table](std::int64_t first, std::int64_t count) {
    std::vector<double> numbers(static_cast<std::size_t>(count * table.depth));
    for (std::int64_t i = 0; i < count; ++i) {
      load_row(table, position(first + i), numbers.data() + i * table.depth);
    }
    return numbers;
  };
  source.where = [path = file.path(), what](std::int64_t row, std::int64_t column) {
    return "'" + path + "', " + what + "row " + std::to_string(row) + ", column " +
           std::to_string(column) + " (counted from 0)";
  };
  return source;
}

const std::unordered_map<std::string_view, std::int64_t>& MemoryFile::State::stored_names() {
  std::call_once(position_of_name->once, [this] {
    std::unordered_map<std::string_view, std::int64_t> names;
    for (std::int64_t i = num_patterns(); i-- > 0;) {
      const std::int64_t at = position(i);
      if (at < body_rows && !ids.given()) break;
      names.insert_or_assign(stored_name(at), at);
    }
    position_of_name->value = std::move(names);
  });
  return position_of_name->value;
}

void MemoryFile::State::verify_numbers(const Table& table, const std::string& what) const {
  std::vector<double> numbers(num_patterns() > 0 ? static_cast<std::size_t>(table.depth) : 0);
  for (std::int64_t i = 0; i < num_patterns(); ++i) {
    load_row(table, position(i), numbers.data());
    const auto bad = std::find_if(numbers.begin(), numbers.end(),
                                  [](double x) { return !std::isfinite(static_cast<float>(x)); });
    if (bad != numbers.end()) {
      corrupt(what + "expected finite numbers, got another in row " + std::to_string(i) +
              ", column " + std::to_string(bad - numbers.begin()) + " (counted from 0)");
    }
  }
}

void MemoryFile::State::verify_codes() const {
  const auto depth = num_patterns() > 0 ? static_cast<std::size_t>(patterns.depth) : 0;
  std::vector<double> decoded(depth), kept(depth);
  for (std::int64_t i = 0; i < num_patterns(); ++i) {
    const std::int64_t at = position(i);
    const std::string row = " in row " + std::to_string(i) + " (counted from 0)";
    const double scale = internal::load<float>(scales.row(at));
    if (!std::isfinite(scale) || scale < 0) {
      corrupt("scales: expected finite numbers >= 0, got " + std::to_string(scale) + row);
    }
    const std::byte* codes = patterns.row(at);
    if (std::find(codes, codes + depth, std::byte{0x80}) != codes + depth) {
      corrupt("expected codes from -127 to 127, got -128" + row);
    }
    if (!exact.given()) continue;
    load_row(patterns, at, decoded.data());
    load_row(exact, at, kept.data());
    for (std::size_t k = 0; k < depth; ++k) {
      if (std::abs(kept[k] - decoded[k]) > internal::kCodeError * scale) {
        corrupt("expected codes within half a scale of the exact rows, got another" + row);
      }
    }
  }
}

void MemoryFile::State::verify_patterns() const {
  for (const TensorEntry& entry : file.tensors()) {
    if (crc32_text(crc32(file.bytes(entry))) != file.metadata().at(checksum_key(entry.name))) {
      corrupt("expected the checksum of tensor '" + entry.name +
              "' to fit, it does not; the file is damaged, restore it from a copy");
    }
  }
  if (ids.given() || !added_names.empty()) {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < num_patterns(); ++i) names.push_back(name(position(i)));
    internal::check_ids(names, "'" + file.path() + "', ");
  }
  if (scales.given()) verify_codes();
  verify_numbers(patterns, "");
  if (exact.given()) verify_numbers(exact, "exact: ");
  if (values.given()) verify_numbers(values, "values: ");
  for (std::int64_t i = 0; has_metadata && i < num_patterns(); ++i) {
    const std::string flaw = internal::metadata_flaw(metadata(position(i)));
    if (!flaw.empty()) corrupt("metadata of pattern '" + name(position(i)) + "': " + flaw);
  }
}

MemoryFile::MemoryFile(const std::string& path) {
  for (std::size_t failed_at = 0;;) {
    SafetensorsFile file(path, Tail::kAllow);
    const std::size_t log_bytes = file.tail().size();
    try {
      state_ = std::make_unique<State>(std::move(file));
      return;
    } catch (const Error&) {
      // A writer may have committed changes beyond what was mapped: wait until the file stands
      // still.
      if (log_bytes == failed_at) throw;
      failed_at = log_bytes;
    }
  }
}

MemoryFile::MemoryFile(std::span<const std::byte> bytes, std::string origin)
    : state_(std::make_unique<State>(SafetensorsFile(bytes, std::move(origin), Tail::kAllow))) {}

MemoryFile::MemoryFile(MemoryFile&&) noexcept = default;
MemoryFile& MemoryFile::operator=(MemoryFile&&) noexcept = default;
MemoryFile::~MemoryFile() = default;

const std::string& MemoryFile::path() const {
  return state_->file.path();
}

std::int64_t MemoryFile::num_patterns() const {
  return state_->num_patterns();
}

std::int64_t MemoryFile::depth() const {
  return state_->patterns.depth;
}

DType MemoryFile::dtype() const {
  return state_->patterns.dtype;
}

std::optional<DType> MemoryFile::exact_dtype() const {
  return state_->exact.given() ? std::optional(state_->exact.dtype) : std::nullopt;
}

std::int64_t MemoryFile::version() const {
  return state_->scales.given() ? 3 : has_values() || has_metadata() ? 2 : 1;
}

std::int64_t MemoryFile::tombstones() const {
  return state_->num_forgotten;
}

std::int64_t MemoryFile::num_changes() const {
  return state_->log ? std::ssize(state_->log->changes()) : 0;
}

std::int64_t MemoryFile::next_number() const {
  return state_->next_number;
}

std::uint64_t MemoryFile::num_bytes() const {
  return state_->body_bytes() + state_->file.tail().size();
}

std::string MemoryFile::fingerprint() const {
  std::uint32_t changes = 0;
  if (state_->log) {
    for (const Change& change : state_->log->changes()) {
      changes = crc32(std::as_bytes(std::span(&change.kind, 1)), changes);
      changes = crc32(change.payload, changes);
    }
  }
  const auto& metadata = state_->file.metadata();
  return metadata.at(kHeaderChecksum) + metadata.at(checksum_key("patterns")) + crc32_text(changes);
}

PatternView MemoryFile::patterns() const {
  return state_->patterns_view();
}

bool MemoryFile::has_values() const {
  return state_->values.given();
}

std::int64_t MemoryFile::values_depth() const {
  return state_->values.depth;
}

DType MemoryFile::values_dtype() const {
  return state_->values.dtype;
}

PatternView MemoryFile::values() const {
  return state_->view(state_->values);
}

bool MemoryFile::has_metadata() const {
  return state_->has_metadata;
}

std::string MemoryFile::metadata(std::int64_t pattern) const {
  state_->require_pattern(pattern);
  return std::string(state_->metadata(state_->position(pattern)));
}

void MemoryFile::restrict_to(std::span<const std::int64_t> patterns) {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    state_->require_pattern(patterns[i]);
    require(i == 0 || patterns[i - 1] < patterns[i], kMemoryOp,
            "expected ascending patterns, got " + std::to_string(patterns[i]) + " after another");
    positions.push_back(state_->position(patterns[i]));
  }
  state_->select(std::move(positions));
}

std::int64_t MemoryFile::position(std::int64_t pattern) const {
  state_->require_pattern(pattern);
  return state_->position(pattern);
}

bool MemoryFile::has_ids() const {
  return state_->has_ids;
}

std::string MemoryFile::id(std::int64_t pattern) const {
  state_->require_pattern(pattern);
  return state_->name(state_->position(pattern));
}

std::vector<std::string> MemoryFile::ids() const {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < num_patterns(); ++i) names.push_back(id(i));
  return names;
}

std::optional<std::int64_t> MemoryFile::find(std::string_view id) const {
  const auto& names = state_->stored_names();
  std::optional<std::int64_t> position;
  if (const auto stored = names.find(id); stored != names.end()) {
    position = stored->second;
  } else if (!state_->ids.given()) {
    position = internal::number_of(id, state_->body_rows);
  }
  if (!position || !state_->selected) return position;
  const auto at = std::lower_bound(state_->live.begin(), state_->live.end(), *position);
  if (at == state_->live.end() || *at != *position) return std::nullopt;
  return at - state_->live.begin();
}

void MemoryFile::verify() const {
  if (state_->log) state_->log->verify();
  state_->verify_patterns();
}

PatternSource pattern_source(const MemoryFile& memory) {
  const MemoryFile::State& state = *memory.state_;
  return state.source(state.exact.given() ? state.exact : state.patterns, "");
}

PatternSource value_source(const MemoryFile& memory) {
  require(memory.has_values(), kMemoryOp,
          "expected a memory with values, got '" + memory.path() + "', which has none");
  return memory.state_->source(memory.state_->values, "values, ");
}

}  // namespace hopfield::store
