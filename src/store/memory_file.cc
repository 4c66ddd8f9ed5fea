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

using internal::ChangeKind;
using internal::checksum_key;
using internal::kHeaderChecksum;
using internal::kMemoryFormat;
using internal::kMemoryOp;
using internal::kNextNumber;

/// Takes a payload apart; `complain` throws.
class Payload {
 public:
  Payload(std::span<const std::byte> bytes, std::function<void()> complain)
      : rest_(bytes), size_(bytes.size()), complain_(std::move(complain)) {}

  std::span<const std::byte> take(std::uint64_t count, std::size_t element_bytes) {
    if (count > rest_.size() / element_bytes) complain_();
    const std::size_t bytes = static_cast<std::size_t>(count) * element_bytes;
    const std::span<const std::byte> taken = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return taken;
  }

  std::int64_t number() {
    return internal::load<std::int64_t>(take(1, sizeof(std::int64_t)).data());
  }

  /// How many patterns a change is about.
  std::uint64_t count() {
    const std::int64_t n = number();
    if (n < 1) complain_();
    return static_cast<std::uint64_t>(n);
  }

  void skip_to_multiple_of_8() { (void)take(internal::padding_to(size_ - rest_.size(), 8), 1); }

  void end() const {
    if (!rest_.empty()) complain_();
  }

 private:
  std::span<const std::byte> rest_;
  std::size_t size_;
  std::function<void()> complain_;
};

std::int64_t number_at(std::span<const std::byte> numbers, std::size_t i) {
  return internal::load<std::int64_t>(numbers.data() + i * sizeof(std::int64_t));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

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

void MemoryFile::State::read_body() {
  const auto& metadata = file.metadata();
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kMemoryFormat) {
    corrupt(
        "expected a memory, got another safetensors file; make one with hopfield memory create");
  }
  const bool intact = header_checksum_matches(file, kHeaderChecksum);
  const auto stated = metadata.find("version");
  if (intact && stated != metadata.end() && stated->second != "1" &&
      internal::number_of(stated->second, 100'000'000)) {
    fail(ErrorCode::kUnsupported, kMemoryOp,
         "'" + file.path() + "': expected version 1, got " + stated->second +
             "; read it with a newer hopfield");
  }
  if (!intact) corrupt("expected the header's checksum to fit, it does not; the file is damaged");
  if (stated == metadata.end() || stated->second != "1") corrupt("expected a version, got none");
  for (const TensorEntry& entry : file.tensors()) {
    if (entry.name != "patterns" && entry.name != "ids.bytes" && entry.name != "ids.offsets") {
      corrupt("expected tensors patterns and ids, got also '" + entry.name + "'");
    }
    if (metadata.count(checksum_key(entry.name)) == 0) {
      corrupt("expected a checksum of tensor '" + entry.name + "', got none");
    }
  }
  patterns = &file.at("patterns");
  const std::optional<DType> type = float_dtype(patterns->type);
  if (!type || *type == DType::kF64 || patterns->shape.size() != 2 || patterns->shape[1] < 1) {
    corrupt("tensor 'patterns': expected F32, BF16 or F16 of shape [S, d], got " +
            std::string(tensor_type_name(patterns->type)) + " " + shape_text(patterns->shape));
  }
  dtype = *type;
  body_rows = patterns->shape[0];
  depth = patterns->shape[1];
  // Cannot wrap where there is a row; without one it is used for added rows, whose bytes are there.
  if (__builtin_mul_overflow(static_cast<std::size_t>(depth), dtype_bytes(dtype), &row_bytes)) {
    corrupt("tensor 'patterns': expected a depth that fits 64 bits, got " + std::to_string(depth));
  }
  // Kernels read numbers in place.
  if (patterns->offset % dtype_bytes(dtype) != 0) {
    corrupt("tensor 'patterns': expected to start at a multiple of its element size, got byte " +
            std::to_string(patterns->offset));
  }
  next_number = body_rows;
  if (const auto stored = metadata.find(kNextNumber); stored != metadata.end()) {
    const std::optional<std::int64_t> number =
        internal::number_of(stored->second, std::numeric_limits<std::int64_t>::max());
    if (!number) corrupt("expected next_number to be a number, got '" + stored->second + "'");
    next_number = std::max(next_number, *number);
  }

  ids_bytes = file.find("ids.bytes");
  ids_offsets = file.find("ids.offsets");
  has_ids = ids_offsets != nullptr;
  if (ids_bytes == nullptr && ids_offsets == nullptr) return;
  if (ids_bytes == nullptr || ids_offsets == nullptr || ids_bytes->type != TensorType::kU8 ||
      ids_bytes->shape.size() != 1 || ids_offsets->type != TensorType::kI64 ||
      ids_offsets->shape.size() != 1 || ids_offsets->shape[0] - 1 != body_rows) {
    corrupt("expected ids.bytes of type U8 [n] and ids.offsets of type I64 [S + 1] for " +
            std::to_string(body_rows) + " patterns, got something else");
  }
}

void MemoryFile::State::read_log() {
  const std::span<const std::byte> tail = file.tail();
  if (tail.empty()) return;
  const auto zeros =
      static_cast<std::size_t>(internal::padding_to(body_bytes(), internal::kLogAlignment));
  if (tail.size() <= zeros) {
    corrupt("expected a log of changes, got " + std::to_string(tail.size()) +
            " bytes after the patterns; the file was cut, restore it from a copy");
  }
  if (std::any_of(tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(zeros),
                  [](std::byte b) { return b != std::byte{0}; })) {
    corrupt("expected zeros between the patterns and the log of changes, got other bytes");
  }
  ChangeLog changes(tail.subspan(zeros), file.path());
  if (changes.changes().empty()) return;
  const std::byte* body = file.bytes(*patterns).data();
  rows.reserve(static_cast<std::size_t>(body_rows));
  for (std::int64_t i = 0; i < body_rows; ++i) {
    rows.push_back(body + static_cast<std::size_t>(i) * row_bytes);
  }
  for (const Change& change : changes.changes()) {
    switch (ChangeKind{change.kind}) {
      case ChangeKind::kAdd:
        apply_add(change.payload);
        continue;
      case ChangeKind::kForget:
        apply_forget(change.payload);
        continue;
      case ChangeKind::kUpdate:
        apply_update(change.payload);
        continue;
    }
    fail(ErrorCode::kUnsupported, kMemoryOp,
         "'" + file.path() + "': expected changes of kind 1 to 3, got " +
             std::to_string(change.kind) + "; read it with a newer hopfield");
  }
  live.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] != nullptr) live.push_back(static_cast<std::int64_t>(i));
  }
  log = std::move(changes);
  for (std::int64_t i = 0; !has_ids && i < num_patterns(); ++i) {
    const std::string_view stored = stored_name(position(i));
    has_ids = stored.empty() ? position(i) != i : stored != std::to_string(i);
  }
}

void MemoryFile::State::apply_add(std::span<const std::byte> payload) {
  const auto complain = [this] { corrupt("an added pattern: expected its bytes, got others"); };
  Payload in(payload, complain);
  const std::uint64_t n = in.count();
  const std::int64_t next = in.number();
  if (next < next_number) complain();
  const std::span<const std::byte> offsets = in.take(n + 1, sizeof(std::int64_t));
  const std::int64_t end = number_at(offsets, static_cast<std::size_t>(n));
  if (number_at(offsets, 0) != 0 || end < 0) complain();
  const std::string_view names = text_of(in.take(static_cast<std::uint64_t>(end), 1));
  in.skip_to_multiple_of_8();
  const std::span<const std::byte> numbers = in.take(n, row_bytes);
  in.end();
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t first = number_at(offsets, i), last = number_at(offsets, i + 1);
    if (first >= last || last > end) complain();  // no name is empty
    added_names.push_back(
        names.substr(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)));
    rows.push_back(numbers.data() + i * row_bytes);
  }
  next_number = next;
}

std::int64_t MemoryFile::State::live_position(std::int64_t position) const {
  if (position < 0 || position >= std::ssize(rows) ||
      rows[static_cast<std::size_t>(position)] == nullptr) {
    corrupt("a change: expected the position of a stored pattern, got " + std::to_string(position));
  }
  return position;
}

void MemoryFile::State::apply_forget(std::span<const std::byte> payload) {
  Payload in(payload, [this] { corrupt("a forgotten pattern: expected its bytes, got others"); });
  const std::uint64_t n = in.count();
  const std::span<const std::byte> positions = in.take(n, sizeof(std::int64_t));
  in.end();
  for (std::size_t i = 0; i < n; ++i) {
    rows[static_cast<std::size_t>(live_position(number_at(positions, i)))] = nullptr;
  }
}

void MemoryFile::State::apply_update(std::span<const std::byte> payload) {
  Payload in(payload, [this] { corrupt("an updated pattern: expected its bytes, got others"); });
  const std::uint64_t n = in.count();
  const std::span<const std::byte> positions = in.take(n, sizeof(std::int64_t));
  const std::span<const std::byte> numbers = in.take(n, row_bytes);
  in.end();
  for (std::size_t i = 0; i < n; ++i) {
    rows[static_cast<std::size_t>(live_position(number_at(positions, i)))] =
        numbers.data() + i * row_bytes;
  }
}

const std::byte* MemoryFile::State::row(std::int64_t pattern) const {
  if (log) return rows[static_cast<std::size_t>(position(pattern))];
  return file.bytes(*patterns).data() + static_cast<std::size_t>(pattern) * row_bytes;
}

std::string_view MemoryFile::State::stored_name(std::int64_t position) const {
  if (position >= body_rows) return added_names[static_cast<std::size_t>(position - body_rows)];
  if (ids_offsets == nullptr) return {};
  const std::span<const std::byte> offsets = file.bytes(*ids_offsets);
  const std::int64_t first = number_at(offsets, static_cast<std::size_t>(position));
  const std::int64_t end = number_at(offsets, static_cast<std::size_t>(position) + 1);
  if (first < 0 || first > end || end > ids_bytes->shape[0]) {
    corrupt("tensor 'ids.offsets': expected ascending offsets up to " +
            std::to_string(ids_bytes->shape[0]) + ", got " + std::to_string(first) + " and " +
            std::to_string(end) + "; the file is damaged");
  }
  return text_of(file.bytes(*ids_bytes))
      .substr(static_cast<std::size_t>(first), static_cast<std::size_t>(end - first));
}

std::string MemoryFile::State::name(std::int64_t position) const {
  if (position < body_rows && ids_offsets == nullptr) return std::to_string(position);
  return std::string(stored_name(position));
}

const std::byte* MemoryFile::State::gathered_patterns() {
  std::call_once(gathered_once, [this] {
    gathered = std::make_unique_for_overwrite<std::byte[]>(live.size() * row_bytes);
    for (std::size_t i = 0; i < live.size(); ++i) {
      std::copy_n(row(static_cast<std::int64_t>(i)), row_bytes, gathered.get() + i * row_bytes);
    }
  });
  return gathered.get();
}

const std::unordered_map<std::string_view, std::int64_t>& MemoryFile::State::stored_names() {
  std::call_once(stored_names_once, [this] {
    std::unordered_map<std::string_view, std::int64_t> names;
    for (std::int64_t i = num_patterns(); i-- > 0;) {
      const std::int64_t at = position(i);
      if (at < body_rows && ids_offsets == nullptr) break;
      names.insert_or_assign(stored_name(at), at);
    }
    position_of_name = std::move(names);
  });
  return position_of_name;
}

void MemoryFile::State::verify_patterns() const {
  for (const TensorEntry& entry : file.tensors()) {
    if (crc32_text(crc32(file.bytes(entry))) != file.metadata().at(checksum_key(entry.name))) {
      corrupt("expected the checksum of tensor '" + entry.name +
              "' to fit, it does not; the file is damaged, restore it from a copy");
    }
  }
  if (ids_offsets != nullptr || !added_names.empty()) {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < num_patterns(); ++i) names.push_back(name(position(i)));
    internal::check_ids(names, "'" + file.path() + "', ");
  }
  std::vector<float> numbers(num_patterns() > 0 ? static_cast<std::size_t>(depth) : 0);
  for (std::int64_t i = 0; i < num_patterns(); ++i) {
    internal::convert({row(i), row_bytes}, patterns->type, numbers.data(), depth);
    const auto bad =
        std::find_if(numbers.begin(), numbers.end(), [](float x) { return !std::isfinite(x); });
    if (bad != numbers.end()) {
      corrupt("expected finite numbers, got another in row " + std::to_string(i) + ", column " +
              std::to_string(bad - numbers.begin()) + " (counted from 0)");
    }
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
  return state_->depth;
}

DType MemoryFile::dtype() const {
  return state_->dtype;
}

std::int64_t MemoryFile::tombstones() const {
  return state_->log ? std::ssize(state_->rows) - std::ssize(state_->live) : 0;
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

PatternView MemoryFile::patterns() const {
  PatternView view;
  if (num_patterns() > 0) {
    view.data =
        state_->log ? state_->gathered_patterns() : state_->file.bytes(*state_->patterns).data();
  }
  view.dtype = dtype();
  view.rows = num_patterns();
  view.depth = depth();
  view.row_stride = depth();
  view.head_stride = depth();
  return view;
}

bool MemoryFile::has_ids() const {
  return state_->has_ids;
}

std::string MemoryFile::id(std::int64_t pattern) const {
  require(pattern >= 0 && pattern < num_patterns(), kMemoryOp,
          "expected a pattern below " + std::to_string(num_patterns()) + ", got " +
              std::to_string(pattern));
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
  } else if (state_->ids_offsets == nullptr) {
    position = internal::number_of(id, state_->body_rows);
  }
  if (!position || !state_->log) return position;
  const auto at = std::lower_bound(state_->live.begin(), state_->live.end(), *position);
  if (at == state_->live.end() || *at != *position) return std::nullopt;
  return at - state_->live.begin();
}

void MemoryFile::verify() const {
  if (state_->log) state_->log->verify();
  state_->verify_patterns();
}

PatternSource pattern_source(const MemoryFile& memory) {
  PatternSource source;
  source.num_patterns = memory.num_patterns();
  source.depth = memory.depth();
  source.rows = [state = memory.state_.get()](std::int64_t first, std::int64_t count) {
    std::vector<double> numbers(static_cast<std::size_t>(count * state->depth));
    for (std::int64_t i = 0; i < count; ++i) {
      internal::convert({state->row(first + i), state->row_bytes}, state->patterns->type,
                        numbers.data() + i * state->depth, state->depth);
    }
    return numbers;
  };
  source.where = [path = memory.path()](std::int64_t row, std::int64_t column) {
    return "'" + path + "', row " + std::to_string(row) + ", column " + std::to_string(column) +
           " (counted from 0)";
  };
  return source;
}

}  // namespace hopfield::store
