#ifndef HOPFIELD_SRC_MEMORY_PRUNED_BLOCKS_H_
#define HOPFIELD_SRC_MEMORY_PRUNED_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"

namespace hopfield::internal {

/// Orthonormal directions, and what a vector is along them. docs/math/pruning.md.
struct Directions {
  std::int64_t count = 0, depth = 0;
  std::vector<double> rows;     ///< [count, depth]
  std::vector<double> columns;  ///< the same, [depth, count]
  /// How much a product of two sketches may miss the bound, as a share of the two lengths: the
  /// directions are orthonormal up to rounding.
  double error = 0;

  /// result[0, count] = the vector along the directions and the length of what is left over.
  /// `vector` is overwritten.
  template <class T>
  void sketch(std::vector<double>& vector, T* result) const;
};

/// The directions along which a seeded sample of the patterns is longest.
Directions leading_directions(const PatternView& patterns, std::int64_t count, std::uint64_t seed,
                              Executor& executor);

/// Where a pattern is not finite there are no summaries: num_blocks() is 0.
template <class T>
struct PrunedBlocks {
  PatternView original;
  PatternView stored;                 ///< in the order of the blocks
  std::vector<std::byte> rows;        ///< what `stored` shows, if it is a copy
  std::vector<std::int64_t> order;    ///< row i of `stored` is row order[i]; empty: the same
  std::vector<std::int64_t> offsets;  ///< [num_blocks + 1]
  std::int64_t block_size = 0;        ///< no block has more patterns
  double norm_max = 0;                ///< >= |x|

  bool sketched = false;  ///< blocks are summed up by their sketches, not by their patterns
  Directions directions;
  std::vector<T> sketches;  ///< [S, directions.count + 1], if sketched
  /// Of the patterns, or of the sketches: panels of kCentroidPanel blocks, each [depth,
  /// kCentroidPanel]; the largest distance from the centroid; the largest norm.
  std::vector<T> centroids;
  std::vector<double> radius, norm;  ///< [num_blocks]
  std::vector<double> log_rows;      ///< [num_blocks] log of how many patterns

  /// What a block is summed up by, row by row.
  PatternView summaries() const {
    if (!sketched) return stored;
    return pattern_view(sketches.data(), stored.rows, directions.count + 1);
  }
  std::int64_t num_blocks() const { return static_cast<std::int64_t>(radius.size()); }
  std::int64_t block_rows(std::int64_t b) const {
    const auto at = static_cast<std::size_t>(b);
    return offsets[at + 1] - offsets[at];
  }
};

/// Blocks whose centroids lie side by side.
inline constexpr std::int64_t kCentroidPanel = 64;

}  // namespace hopfield::internal

#endif  // HOPFIELD_SRC_MEMORY_PRUNED_BLOCKS_H_
