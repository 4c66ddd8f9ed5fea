#ifndef HOPFIELD_EXAMPLES_RANDOM_PATTERNS_H_
#define HOPFIELD_EXAMPLES_RANDOM_PATTERNS_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hopfield/store/memory_file.h"

// What the examples about memories share: patterns to store, and a vector as a source of patterns.

/// Rows of random -1 and +1, the same on every machine: [num_patterns, depth].
inline std::vector<float> random_patterns(std::int64_t num_patterns, std::int64_t depth,
                                          std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> numbers(static_cast<std::size_t>(num_patterns * depth));
  for (float& x : numbers) x = random() % 2 == 0 ? -1.0f : 1.0f;
  return numbers;
}

/// Rows [begin, end) of the numbers, which must outlive the source.
inline hopfield::store::PatternSource rows_of(const std::vector<float>& numbers, std::int64_t depth,
                                              std::int64_t begin, std::int64_t end) {
  hopfield::store::PatternSource source;
  source.num_patterns = end - begin;
  source.depth = depth;
  source.rows = [&numbers, depth, begin](std::int64_t first, std::int64_t count) {
    const auto at = numbers.begin() + (begin + first) * depth;
    return std::vector<double>(at, at + count * depth);
  };
  source.where = [](std::int64_t row, std::int64_t column) {
    return "row " + std::to_string(row) + ", column " + std::to_string(column);
  };
  return source;
}

#endif  // HOPFIELD_EXAMPLES_RANDOM_PATTERNS_H_
