#include "hopfield/store/memory_writer.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "hopfield/base/error.h"
#include "store/memory_format.h"

namespace hopfield::store {
namespace {

using internal::ChangeKind;
using internal::kMemoryOp;
using internal::Part;

void put(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void put(std::vector<std::byte>& to, std::span<const std::int64_t> numbers) {
  put(to, std::as_bytes(numbers));
}

void pad(std::vector<std::byte>& to) {
  to.resize(to.size() + internal::padding_to(to.size(), 8));
}

void put(std::vector<std::byte>& to, std::span<const std::string> texts) {
  const internal::PackedTexts packed(texts);
  put(to, packed.offsets);
  put(to, std::as_bytes(std::span(packed.bytes)));
  pad(to);
}

/// What a change brings for its patterns: which parts, and their bytes one after the other.
struct Parts {
  std::int64_t which = 0;
  std::vector<std::byte> bytes;
};

}  // namespace

struct MemoryWriter::State {
  State(const std::string& path, std::unique_ptr<ChangeableFile> locked)
      : file(std::move(locked)),
        opened(path),
        log(*file,
            opened.state_->body_bytes() +
                internal::padding_to(opened.state_->body_bytes(), internal::kLogAlignment),
            opened.state_->log.value_or(ChangeLog({}, path))),
        num_positions(opened.state_->num_positions()),
        next_number(opened.next_number()) {}

  /// Position of the pattern of that name as it is now.
  std::optional<std::int64_t> position(std::string_view id) const {
    if (const auto it = added.find(std::string(id)); it != added.end()) return it->second;
    const std::optional<std::int64_t> pattern = opened.find(id);
    if (!pattern) return std::nullopt;
    const std::int64_t at = opened.state_->position(*pattern);
    return forgotten.count(at) == 0 ? std::optional(at) : std::nullopt;
  }

  std::vector<std::int64_t> positions(std::span<const std::string> ids) const {
    std::vector<std::int64_t> result;
    for (const std::string& id : ids) {
      const std::optional<std::int64_t> at = position(id);
      require(at.has_value(), kMemoryOp,
              "expected ids of patterns in '" + opened.path() + "', got '" + id + "'");
      result.push_back(*at);
    }
    return result;
  }

  /// Rows of a source, which are to be as deep as those of the memory. `what` is "patterns" or
  /// "values".
  std::vector<double> rows(const PatternSource& source, const internal::Table& table,
                           const std::string& what) const {
    if (source.depth != table.depth) {
      fail(ErrorCode::kCorruptData, kMemoryOp,
           "expected " + what + " of depth " + std::to_string(table.depth) + " as those of '" +
               opened.path() + "', got depth " + std::to_string(source.depth));
    }
    return source.rows(0, source.num_patterns);
  }

  /// Of `num_patterns` patterns; `patterns` may be null.
  Parts parts(const PatternSource* patterns, const Attachments& attached,
              std::int64_t num_patterns) const {
    internal::check_attachments(attached, num_patterns);
    Parts parts;
    if (patterns != nullptr) {
      parts.which |= Part::kPatterns;
      const internal::EncodedPatterns encoded =
          internal::encode_patterns(rows(*patterns, opened.state_->patterns, "patterns"), *patterns,
                                    0, opened.dtype(), opened.exact_dtype());
      for (const auto* bytes : {&encoded.patterns, &encoded.scales, &encoded.exact}) {
        if (bytes->empty()) continue;
        pad(parts.bytes);
        put(parts.bytes, *bytes);
      }
    }
    if (attached.values != nullptr) {
      if (!opened.has_values()) {
        fail(ErrorCode::kCorruptData, kMemoryOp,
             "expected no values, as '" + opened.path() +
                 "' has none, got some; make a memory with values with hopfield memory create");
      }
      parts.which |= Part::kValues;
      pad(parts.bytes);
      put(parts.bytes, internal::encode(rows(*attached.values, opened.state_->values, "values"),
                                        *attached.values, 0, opened.values_dtype()));
    }
    if (!attached.metadata.empty()) {
      parts.which |= Part::kMetadata;
      pad(parts.bytes);
      put(parts.bytes, attached.metadata);
    }
    return parts;
  }

  void append_update(std::span<const std::string> ids, const PatternSource* source,
                     const Attachments& attached) {
    internal::check_ids(ids);
    const std::vector<std::int64_t> changed = positions(ids);
    const Parts brought = parts(source, attached, std::ssize(ids));
    if (changed.empty() || brought.which == 0) return;
    const bool plain = brought.which == Part::kPatterns;
    std::vector<std::int64_t> head = {std::ssize(changed)};
    if (!plain) head.push_back(brought.which);
    std::vector<std::byte> payload;
    put(payload, head);
    put(payload, changed);
    put(payload, brought.bytes);
    append(plain ? ChangeKind::kUpdate : ChangeKind::kUpdateWith, payload);
  }

  void append(ChangeKind kind, const std::vector<std::byte>& payload) {
    log.append(static_cast<std::uint32_t>(kind), payload);
  }

  std::unique_ptr<ChangeableFile> file;
  MemoryFile opened;  // as it was when the writer came
  ChangeLogWriter log;
  std::int64_t num_positions, next_number;
  std::unordered_map<std::string, std::int64_t> added;  // since then, with their positions
  std::unordered_set<std::int64_t> forgotten;           // since then, of `opened`
};

MemoryWriter::MemoryWriter(const std::string& path) : MemoryWriter(path, open_for_changes(path)) {}

MemoryWriter::MemoryWriter(const std::string& path, std::unique_ptr<ChangeableFile> file)
    : state_(std::make_unique<State>(path, std::move(file))) {}

MemoryWriter::MemoryWriter(MemoryWriter&&) noexcept = default;
MemoryWriter& MemoryWriter::operator=(MemoryWriter&&) noexcept = default;
MemoryWriter::~MemoryWriter() = default;

std::vector<std::string> MemoryWriter::add(const PatternSource& source,
                                           std::span<const std::string> ids,
                                           const Attachments& attached) {
  State& s = *state_;
  require(ids.empty() || std::ssize(ids) == source.num_patterns, kMemoryOp,
          "expected an id for each of " + std::to_string(source.num_patterns) + " patterns, got " +
              std::to_string(ids.size()));
  std::vector<std::string> names(ids.begin(), ids.end());
  internal::check_ids(names);
  for (const std::string& name : names) {
    if (s.position(name)) {
      fail(ErrorCode::kCorruptData, kMemoryOp,
           "expected ids that are new to '" + s.opened.path() + "', got '" + name +
               "'; choose another or forget or update that pattern");
    }
  }
  std::int64_t next = s.next_number;
  while (std::ssize(names) < source.num_patterns) {
    std::string name = std::to_string(next++);
    if (!s.position(name)) names.push_back(std::move(name));
  }
  const Parts brought = s.parts(&source, attached, source.num_patterns);
  if (s.opened.has_values() && attached.values == nullptr) {
    fail(ErrorCode::kCorruptData, kMemoryOp,
         "expected values, as '" + s.opened.path() + "' has them, got none");
  }
  if (names.empty()) return names;

  const bool plain = brought.which == Part::kPatterns;
  std::vector<std::int64_t> head = {source.num_patterns};
  if (!plain) head.push_back(brought.which);
  head.push_back(next);
  std::vector<std::byte> payload;
  put(payload, head);
  put(payload, names);
  put(payload, brought.bytes);
  s.append(plain ? ChangeKind::kAdd : ChangeKind::kAddWith, payload);
  s.next_number = next;
  for (const std::string& name : names) s.added.emplace(name, s.num_positions++);
  return names;
}

void MemoryWriter::forget(std::span<const std::string> ids) {
  State& s = *state_;
  internal::check_ids(ids);
  const std::vector<std::int64_t> positions = s.positions(ids);
  if (positions.empty()) return;
  const std::int64_t head[] = {std::ssize(positions)};
  std::vector<std::byte> payload;
  put(payload, head);
  put(payload, positions);
  s.append(ChangeKind::kForget, payload);
  for (const std::string& id : ids) s.added.erase(id);
  s.forgotten.insert(positions.begin(), positions.end());
}

void MemoryWriter::update(std::span<const std::string> ids, const PatternSource& source,
                          const Attachments& attached) {
  require(std::ssize(ids) == source.num_patterns, kMemoryOp,
          "expected an id for each of " + std::to_string(source.num_patterns) + " patterns, got " +
              std::to_string(ids.size()));
  state_->append_update(ids, &source, attached);
}

void MemoryWriter::attach(std::span<const std::string> ids, const Attachments& attached) {
  state_->append_update(ids, nullptr, attached);
}

void compact_memory(const std::string& path, const std::function<bool()>& cancelled) {
  const std::unique_ptr<ChangeableFile> lock = open_for_changes(path);
  const MemoryFile memory(path);
  memory.state_->verify_patterns();
  internal::write_copy(memory, path, IfExists::kReplace, cancelled);
}

namespace {

/// Names that differ, in the order of the memories; none if every pattern is called by its number
/// in the merged memory.
std::vector<std::string> merged_ids(std::span<const MemoryFile> memories, bool rename) {
  std::vector<std::string> ids;
  if (rename && std::none_of(memories.begin(), memories.end(),
                             [](const MemoryFile& memory) { return memory.has_ids(); })) {
    return ids;
  }
  std::unordered_map<std::string, const MemoryFile*> owners;
  for (const MemoryFile& memory : memories) {
    for (const std::string& id : memory.ids()) {
      std::string name = id;
      for (int copy = 2; !owners.emplace(name, &memory).second; ++copy) {
        if (!rename) {
          fail(ErrorCode::kCorruptData, kMemoryOp,
               "expected memories without equal ids, got '" + id + "' in '" + owners[id]->path() +
                   "' and in '" + memory.path() + "'; rename those of later memories (--rename)");
        }
        name = id + "-" + std::to_string(copy);
      }
      ids.push_back(std::move(name));
    }
  }
  return ids;
}

/// The rows of all parts, one part after the other.
PatternSource concatenated(std::vector<PatternSource> parts) {
  PatternSource all;
  all.depth = parts.front().depth;
  std::vector<std::int64_t> first_rows;
  for (const PatternSource& part : parts) {
    first_rows.push_back(all.num_patterns);
    all.num_patterns += part.num_patterns;
  }
  const auto part_of = [first_rows](std::int64_t row) {
    const auto after = std::upper_bound(first_rows.begin(), first_rows.end(), row);
    return static_cast<std::size_t>(after - first_rows.begin()) - 1;
  };
  all.rows = [parts, first_rows, part_of](std::int64_t first, std::int64_t count) {
    std::vector<double> numbers;
    while (count > 0) {
      const std::size_t k = part_of(first);
      const std::int64_t from = first - first_rows[k];
      const std::int64_t here = std::min(count, parts[k].num_patterns - from);
      const std::vector<double> part = parts[k].rows(from, here);
      numbers.insert(numbers.end(), part.begin(), part.end());
      first += here;
      count -= here;
    }
    return numbers;
  };
  all.where = [parts, first_rows, part_of](std::int64_t row, std::int64_t column) {
    const std::size_t k = part_of(row);
    return parts[k].where(row - first_rows[k], column);
  };
  return all;
}

/// "f32 of depth 64, values f32 of depth 3"
std::string kind_of(const MemoryFile& memory) {
  std::string kind =
      std::string(dtype_name(memory.dtype())) + " of depth " + std::to_string(memory.depth());
  if (const auto exact = memory.exact_dtype()) {
    kind += ", exact " + std::string(dtype_name(*exact));
  }
  if (memory.has_values()) {
    kind += ", values " + std::string(dtype_name(memory.values_dtype())) + " of depth " +
            std::to_string(memory.values_depth());
  }
  return kind;
}

}  // namespace

void merge_memories(const std::string& output, std::span<const std::string> inputs,
                    const MergeOptions& options) {
  require(!inputs.empty(), kMemoryOp, "expected memories to merge, got none");
  std::vector<MemoryFile> memories;
  std::vector<PatternSource> patterns, values;
  bool with_metadata = false;
  for (const std::string& path : inputs) {
    const MemoryFile& memory = memories.emplace_back(path);
    memory.verify();
    const MemoryFile& first = memories.front();
    if (kind_of(memory) != kind_of(first)) {
      fail(ErrorCode::kCorruptData, kMemoryOp,
           "'" + path + "': expected patterns as those of '" + first.path() + "' (" +
               kind_of(first) + "), got " + kind_of(memory));
    }
    patterns.push_back(pattern_source(memory));
    if (memory.has_values()) values.push_back(value_source(memory));
    with_metadata = with_metadata || memory.has_metadata();
  }
  std::vector<std::string> metadata;
  for (const MemoryFile& memory : memories) {
    for (std::int64_t i = 0; with_metadata && i < memory.num_patterns(); ++i) {
      metadata.push_back(memory.metadata(i));
    }
  }
  const std::vector<std::string> ids = merged_ids(memories, options.rename);
  PatternSource all_values;
  CreateMemoryOptions create;
  if (!values.empty()) {
    all_values = concatenated(std::move(values));
    create.attached.values = &all_values;
  }
  create.dtype = memories.front().dtype();
  create.exact = memories.front().exact_dtype();
  create.values_dtype = memories.front().values_dtype();
  create.ids = ids;
  create.attached.metadata = metadata;
  create.if_exists = options.if_exists;
  create.cancelled = options.cancelled;
  create_memory(output, concatenated(std::move(patterns)), create);
}

}  // namespace hopfield::store
