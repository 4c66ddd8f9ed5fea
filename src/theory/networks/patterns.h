#ifndef HOPFIELD_SRC_THEORY_NETWORKS_PATTERNS_H_
#define HOPFIELD_SRC_THEORY_NETWORKS_PATTERNS_H_

#include <string_view>
#include <vector>

#include "hopfield/theory/spin_network.h"

namespace hopfield::theory::internal {

/// Throws kInvalidArgument unless the patterns are as SpinPatterns says, with at least one spin;
/// without `diluted`, entries are -1 and +1 only.
void validate(const SpinPatterns& patterns, bool diluted, std::string_view op);

/// [rows, columns] -> [columns, rows]: one spin's entries of all patterns lie side by side.
template <class To, class From>
std::vector<To> transposed(const std::vector<From>& matrix, std::int64_t rows,
                           std::int64_t columns) {
  std::vector<To> result(matrix.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      result[static_cast<std::size_t>(c * rows + r)] =
          static_cast<To>(matrix[static_cast<std::size_t>(r * columns + c)]);
    }
  }
  return result;
}

}  // namespace hopfield::theory::internal

#endif  // HOPFIELD_SRC_THEORY_NETWORKS_PATTERNS_H_
