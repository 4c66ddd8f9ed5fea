// How the changes of a memory's log are applied when it is opened; docs/formats/memory.md.
#include <algorithm>
#include <functional>
#include <utility>

#include "hopfield/base/error.h"
#include "store/memory_format.h"
#include "store/numbers.h"

namespace hopfield::store {
namespace internal {

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

  /// `n` texts, one after the other, as in the body.
  struct Packed {
    std::span<const std::byte> offsets;
    std::string_view bytes;
  };
  Packed texts(std::uint64_t n) {
    Packed texts;
    texts.offsets = take(n + 1, sizeof(std::int64_t));
    const std::int64_t end = number_at(texts.offsets, static_cast<std::size_t>(n));
    if (number_at(texts.offsets, 0) != 0 || end < 0) complain_();
    texts.bytes = text_of(take(static_cast<std::uint64_t>(end), 1));
    skip_to_multiple_of_8();
    return texts;
  }
  /// One of them, which is not empty.
  std::string_view text(const Packed& texts, std::size_t i) const {
    const std::int64_t first = number_at(texts.offsets, i), last = number_at(texts.offsets, i + 1);
    if (first < 0 || first >= last || last > std::ssize(texts.bytes)) complain_();
    return texts.bytes.substr(static_cast<std::size_t>(first),
                              static_cast<std::size_t>(last - first));
  }

  std::vector<std::int64_t> numbers(std::uint64_t n) {
    const std::span<const std::byte> bytes = take(n, sizeof(std::int64_t));
    std::vector<std::int64_t> result(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = number_at(bytes, i);
    return result;
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

}  // namespace internal

namespace {

using internal::ChangeKind;
using internal::kMemoryOp;
using internal::Part;
using internal::Payload;
using internal::Table;

}  // namespace

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
  for (Table* table : tables()) {
    if (!table->given()) continue;
    std::vector<const std::byte*> rows(static_cast<std::size_t>(body_rows));
    for (std::int64_t i = 0; i < body_rows; ++i) {
      rows[static_cast<std::size_t>(i)] = table->row(i);
    }
    table->rows = std::move(rows);
  }
  for (const Change& change : changes.changes()) {
    switch (ChangeKind{change.kind}) {
      case ChangeKind::kAdd:
      case ChangeKind::kAddWith:
        apply_add(change);
        continue;
      case ChangeKind::kForget:
        apply_forget(change.payload);
        continue;
      case ChangeKind::kUpdate:
      case ChangeKind::kUpdateWith:
        apply_update(change);
        continue;
    }
    fail(ErrorCode::kUnsupported, kMemoryOp,
         "'" + file.path() + "': expected changes of kind 1 to 5, got " +
             std::to_string(change.kind) + "; read it with a newer hopfield");
  }
  log = std::move(changes);
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < patterns.rows.size(); ++i) {
    if (patterns.rows[i] != nullptr) positions.push_back(static_cast<std::int64_t>(i));
  }
  num_forgotten = num_positions() - std::ssize(positions);
  select(std::move(positions));
}

void MemoryFile::State::apply_add(const Change& change) {
  const auto complain = [this] { corrupt("an added pattern: expected its bytes, got others"); };
  Payload in(change.payload, complain);
  const std::uint64_t n = in.count();
  const bool with = change.kind == static_cast<std::uint32_t>(ChangeKind::kAddWith);
  const std::int64_t parts = with ? in.number() : Part::kPatterns;
  const std::int64_t next = in.number();
  // All numbers of a pattern must come.
  const std::int64_t numbers = parts & (Part::kPatterns | Part::kValues);
  if (next < next_number ||
      numbers != (values.given() ? Part::kPatterns | Part::kValues : Part::kPatterns)) {
    complain();
  }
  const Payload::Packed names = in.texts(n);
  const std::int64_t first = num_positions();
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < n; ++i) {
    added_names.push_back(in.text(names, i));
    positions.push_back(first + static_cast<std::int64_t>(i));
  }
  for (Table* table : tables()) {
    if (table->given()) table->rows.resize(static_cast<std::size_t>(num_positions()));
  }
  apply_parts(in, parts, positions);
  next_number = next;
}

std::int64_t MemoryFile::State::live_position(std::int64_t position) const {
  if (position < 0 || position >= num_positions() || patterns.row(position) == nullptr) {
    corrupt("a change: expected the position of a stored pattern, got " + std::to_string(position));
  }
  return position;
}

void MemoryFile::State::apply_forget(std::span<const std::byte> payload) {
  Payload in(payload, [this] { corrupt("a forgotten pattern: expected its bytes, got others"); });
  const std::vector<std::int64_t> positions = in.numbers(in.count());
  in.end();
  for (const std::int64_t position : positions) {
    patterns.rows[static_cast<std::size_t>(live_position(position))] = nullptr;
  }
}

void MemoryFile::State::apply_update(const Change& change) {
  Payload in(change.payload,
             [this] { corrupt("an updated pattern: expected its bytes, got others"); });
  const std::uint64_t n = in.count();
  const bool with = change.kind == static_cast<std::uint32_t>(ChangeKind::kUpdateWith);
  const std::int64_t parts = with ? in.number() : Part::kPatterns;
  const std::vector<std::int64_t> positions = in.numbers(n);
  for (const std::int64_t position : positions) (void)live_position(position);
  apply_parts(in, parts, positions);
}

void MemoryFile::State::apply_parts(Payload& in, std::int64_t parts,
                                    std::span<const std::int64_t> positions) {
  const std::uint64_t n = positions.size();
  if (parts < 1 || parts > (Part::kPatterns | Part::kValues | Part::kMetadata) ||
      ((parts & Part::kValues) != 0 && !values.given())) {
    corrupt("a change: expected parts that the memory has, got " + std::to_string(parts));
  }
  const auto take_rows = [&](Table& table) {
    in.skip_to_multiple_of_8();
    const std::span<const std::byte> rows = in.take(n, table.row_bytes);
    for (std::size_t i = 0; i < n; ++i) {
      table.rows[static_cast<std::size_t>(positions[i])] = rows.data() + i * table.row_bytes;
    }
  };
  if ((parts & Part::kPatterns) != 0) {
    for (Table* table : pattern_tables()) {
      if (table->given()) take_rows(*table);
    }
  }
  if ((parts & Part::kValues) != 0) take_rows(values);
  if ((parts & Part::kMetadata) != 0) {
    in.skip_to_multiple_of_8();
    const Payload::Packed texts = in.texts(n);
    for (std::size_t i = 0; i < n; ++i) changed_metadata[positions[i]] = in.text(texts, i);
    has_metadata = true;
  }
  in.end();
}

}  // namespace hopfield::store
