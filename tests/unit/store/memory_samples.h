#ifndef HOPFIELD_TESTS_UNIT_STORE_MEMORY_SAMPLES_H_
#define HOPFIELD_TESTS_UNIT_STORE_MEMORY_SAMPLES_H_

#include <cstdint>
#include <string>
#include <utility>
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

/// What a memory holds: names and numbers, in order.
using Contents = std::vector<std::pair<std::string, std::vector<double>>>;

inline Contents contents_of(const store::MemoryFile& memory) {
  const store::PatternSource source = pattern_source(memory);
  Contents contents;
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    contents.emplace_back(memory.id(i), source.rows(i, 1));
  }
  return contents;
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_UNIT_STORE_MEMORY_SAMPLES_H_
