#ifndef HOPFIELD_TESTS_UNIT_STORE_MEMORY_SAMPLES_H_
#define HOPFIELD_TESTS_UNIT_STORE_MEMORY_SAMPLES_H_

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "hopfield/store/memory_file.h"

namespace hopfield::test {

/// Rows of `depth` numbers.
inline store::PatternSource source_of(std::vector<double> numbers, std::int64_t depth) {
  store::PatternSource source;
  source.num_patterns = static_cast<std::int64_t>(numbers.size()) / depth;
  source.depth = depth;
  source.rows = [numbers, depth](std::int64_t first, std::int64_t count) {
    return std::vector<double>(numbers.begin() + first * depth,
                               numbers.begin() + (first + count) * depth);
  };
  source.where = [](std::int64_t row, std::int64_t column) {
    return "row " + std::to_string(row) + ", column " + std::to_string(column);
  };
  return source;
}

/// What a memory holds of one pattern; value and metadata are empty where the memory has none.
struct Entry {
  std::string id;
  std::vector<double> numbers, value = {};
  std::string metadata = "";
  bool operator==(const Entry&) const = default;
};

/// For messages of failed tests.
inline void PrintTo(const Entry& entry, std::ostream* out) {
  *out << entry.id << " [";
  for (const double x : entry.numbers) *out << " " << x;
  *out << " |";
  for (const double x : entry.value) *out << " " << x;
  *out << " ] " << entry.metadata;
}

/// All of it, in order.
using Contents = std::vector<Entry>;

inline Contents contents_of(const store::MemoryFile& memory) {
  const store::PatternSource source = pattern_source(memory);
  Contents contents;
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    contents.push_back({memory.id(i), source.rows(i, 1)});
    if (memory.has_values()) contents.back().value = value_source(memory).rows(i, 1);
    if (memory.has_metadata()) contents.back().metadata = memory.metadata(i);
  }
  return contents;
}

/// The values and metadata of some patterns, to give to a memory.
struct AttachmentsOf {
  /// Of `entries`, values if the first has one, metadata likewise.
  explicit AttachmentsOf(std::span<const Entry> entries) {
    std::vector<double> numbers;
    for (const Entry& entry : entries) {
      numbers.insert(numbers.end(), entry.value.begin(), entry.value.end());
      if (!entry.metadata.empty()) texts.push_back(entry.metadata);
    }
    if (!numbers.empty()) {
      values = source_of(numbers, std::ssize(entries.front().value));
      attached.values = &values;
    }
    attached.metadata = texts;
  }
  AttachmentsOf(const AttachmentsOf&) = delete;

  store::PatternSource values;
  std::vector<std::string> texts;
  store::Attachments attached;
};

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_UNIT_STORE_MEMORY_SAMPLES_H_
