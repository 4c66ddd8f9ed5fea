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

void put(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void put(std::vector<std::byte>& to, std::span<const std::int64_t> numbers) {
  put(to, std::as_bytes(numbers));
}

}  // namespace

struct MemoryWriter::State {
  State(const std::string& path, std::unique_ptr<ChangeableFile> locked)
      : file(std::move(locked)),
        opened(path),
        log(*file,
            opened.state_->body_bytes() +
                internal::padding_to(opened.state_->body_bytes(), internal::kLogAlignment),
            opened.state_->log.value_or(ChangeLog({}, path))),
        num_positions(opened.state_->body_rows + std::ssize(opened.state_->added_names)),
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

  std::vector<std::byte> encoded(const PatternSource& source) const {
    if (source.depth != opened.depth()) {
      fail(ErrorCode::kCorruptData, kMemoryOp,
           "expected patterns of depth " + std::to_string(opened.depth()) + " as those of '" +
               opened.path() + "', got depth " + std::to_string(source.depth));
    }
    return internal::encode(source.rows(0, source.num_patterns), source, 0, opened.dtype());
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
                                           std::span<const std::string> ids) {
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
  const std::vector<std::byte> numbers = s.encoded(source);
  if (names.empty()) return names;

  const std::int64_t head[] = {source.num_patterns, next};
  std::vector<std::int64_t> offsets = {0};
  std::string text;
  for (const std::string& name : names) {
    text += name;
    offsets.push_back(std::ssize(text));
  }
  text.resize(text.size() + internal::padding_to(text.size(), 8), '\0');
  std::vector<std::byte> payload;
  payload.reserve(sizeof head + offsets.size() * sizeof offsets[0] + text.size() + numbers.size());
  put(payload, head);
  put(payload, offsets);
  put(payload, std::as_bytes(std::span(text)));
  put(payload, numbers);
  s.append(ChangeKind::kAdd, payload);
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

void MemoryWriter::update(std::span<const std::string> ids, const PatternSource& source) {
  State& s = *state_;
  require(std::ssize(ids) == source.num_patterns, kMemoryOp,
          "expected an id for each of " + std::to_string(source.num_patterns) + " patterns, got " +
              std::to_string(ids.size()));
  internal::check_ids(ids);
  const std::vector<std::int64_t> positions = s.positions(ids);
  const std::vector<std::byte> numbers = s.encoded(source);
  if (positions.empty()) return;
  const std::int64_t head[] = {std::ssize(positions)};
  std::vector<std::byte> payload;
  put(payload, head);
  put(payload, positions);
  put(payload, numbers);
  s.append(ChangeKind::kUpdate, payload);
}

void compact_memory(const std::string& path, const std::function<bool()>& cancelled) {
  const std::unique_ptr<ChangeableFile> lock = open_for_changes(path);
  const MemoryFile memory(path);
  memory.state_->verify_patterns();
  CreateMemoryOptions options;
  options.dtype = memory.dtype();
  std::vector<std::string> ids;
  if (memory.has_ids()) ids = memory.ids();
  options.ids = ids;
  options.next_number = memory.next_number();
  options.if_exists = IfExists::kReplace;
  options.cancelled = cancelled;
  internal::write_memory(path, pattern_source(memory), options);
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

}  // namespace

void merge_memories(const std::string& output, std::span<const std::string> inputs,
                    const MergeOptions& options) {
  require(!inputs.empty(), kMemoryOp, "expected memories to merge, got none");
  std::vector<MemoryFile> memories;
  std::vector<PatternSource> sources;
  std::vector<std::int64_t> first_rows;
  PatternSource merged;
  for (const std::string& path : inputs) {
    const MemoryFile& memory = memories.emplace_back(path);
    memory.verify();
    const MemoryFile& first = memories.front();
    if (memory.depth() != first.depth() || memory.dtype() != first.dtype()) {
      const auto kind = [](const MemoryFile& m) {
        return std::string(dtype_name(m.dtype())) + " of depth " + std::to_string(m.depth());
      };
      fail(ErrorCode::kCorruptData, kMemoryOp,
           "'" + path + "': expected patterns as those of '" + first.path() + "' (" + kind(first) +
               "), got " + kind(memory));
    }
    first_rows.push_back(merged.num_patterns);
    sources.push_back(pattern_source(memory));
    merged.num_patterns += memory.num_patterns();
  }
  merged.depth = memories.front().depth();
  const auto source_of = [&first_rows](std::int64_t row) {
    const auto after = std::upper_bound(first_rows.begin(), first_rows.end(), row);
    return static_cast<std::size_t>(after - first_rows.begin()) - 1;
  };
  merged.rows = [&](std::int64_t first, std::int64_t count) {
    std::vector<double> numbers;
    while (count > 0) {
      const std::size_t k = source_of(first);
      const std::int64_t from = first - first_rows[k];
      const std::int64_t here = std::min(count, sources[k].num_patterns - from);
      const std::vector<double> part = sources[k].rows(from, here);
      numbers.insert(numbers.end(), part.begin(), part.end());
      first += here;
      count -= here;
    }
    return numbers;
  };
  merged.where = [&](std::int64_t row, std::int64_t column) {
    const std::size_t k = source_of(row);
    return sources[k].where(row - first_rows[k], column);
  };
  const std::vector<std::string> ids = merged_ids(memories, options.rename);
  CreateMemoryOptions create;
  create.dtype = memories.front().dtype();
  create.ids = ids;
  create.if_exists = options.if_exists;
  create.cancelled = options.cancelled;
  create_memory(output, merged, create);
}

}  // namespace hopfield::store
