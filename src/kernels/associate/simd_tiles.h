#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_TILES_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_TILES_H_

// The arithmetic that is compiled once per instruction set: work on tiles of kTile stored patterns
// by a few dozen states, all in the accumulation type T. What is done with the tiles (blocks,
// masks, sharing, order of sums) is ordinary code on top of this table.
//
// Two rules make results independent of blocking. A number that belongs to one (state, pattern)
// pair is accumulated from the first component to the last in one chain of fused multiply-adds,
// whatever its neighbours are. A sum over the patterns of a tile runs over a fixed number of
// logical lanes, which are added in a fixed tree. Targets with fused multiply-add hence give equal
// bits, too.

#include <cstdint>
#include <span>

#include "hopfield/base/dtype.h"

namespace hopfield::internal {

/// Stored patterns a tile. A rescaling of the running sums may happen after each.
inline constexpr std::int64_t kTile = 128;

/// Patterns without gaps are asked for this many bytes before they are wanted, some 2 us of work on
/// one state (half or three times as many take the same time within a tenth). They are asked for
/// more than once, half way again and in every pass over a tile: while many are under way a CPU
/// drops what it is asked for, and memory rests when the first pass is over.
inline constexpr std::int64_t kAhead = 32 * 1024;

/// Sums over a tile's patterns run over this many lanes; rows of tiles are padded to a multiple.
template <class T>
inline constexpr std::int64_t kLogicalLanes = 64 / static_cast<std::int64_t>(sizeof(T));

/// c[r, j] (+)= sum_k f(a[r, k], b[k, j]) for r < rows, j < width, k from 0 to depth in order.
/// width is a multiple of the vector length; everything of b and c up to it is read and written.
template <class T>
struct Product {
  std::int64_t rows = 0, width = 0, depth = 0;
  const T* a = nullptr;
  std::int64_t a_row = 0, a_depth = 1;  ///< strides of a
  const T* b = nullptr;
  const void* b_bf16 = nullptr;  ///< accumulate_bf16: instead of b
  std::int64_t b_depth = 0;      ///< stride of b between k and k + 1
  T* c = nullptr;
  std::int64_t c_row = 0;
  bool fresh = false;         ///< start from 0 rather than from c
  const T* center = nullptr;  ///< accumulate_difference: [rows, width]
  std::int64_t center_row = 0;
  bool ask_ahead = false;  ///< for what lies kAhead beyond b
};

/// Few rows against patterns as they lie in memory: c[r, j] = sum_k f(a[r, k], pattern j [k]), the
/// same numbers as `Product` gives on packed columns, from 0.
template <class T>
struct FewRowsProduct {
  static constexpr std::int64_t kMostRows = 4;
  std::int64_t rows = 0, depth = 0;  ///< 1 <= rows <= kMostRows, depth >= 1
  const T* a = nullptr;
  std::int64_t a_row = 0;
  const void* from = nullptr;  ///< [count, depth]
  DType dtype = DType::kF32;   ///< not kI8
  std::int64_t row_stride = 0, count = 0;
  T* c = nullptr;  ///< whole vectors are written
  std::int64_t c_row = 0;
  T* norms = nullptr;  ///< square norms of the patterns, if not null; not with pairs
};

template <class T>
struct RowMax {
  T max;     ///< NaN aside; -inf when there is none
  bool nan;  ///< a score is NaN
};

template <class T>
struct RowSums {
  T sum;
  T moment;
};

/// One row of a tile in the backward pass of softmax.
template <class T>
struct GradientRow {
  std::int64_t count = 0;     ///< multiple of kLogicalLanes
  const T* scores = nullptr;  ///< -inf: blocked, p = ds = 0 whatever the rest says
  const T* u = nullptr;       ///< <g, v_s>, or null for 0
  const T* similarity = nullptr;
  T lse = 0;
  T offset = 0;   ///< ds = p (u + offset - entropy (score - lse))
  T entropy = 0;  ///< cotangent of the entropy
  T* p = nullptr;
  T* ds = nullptr;  ///< may be u
};

/// Cosine: weights of the patterns in the gradients, and what is subtracted along the own
/// direction.
template <class T>
struct CosineGradientRow {
  std::int64_t count = 0;
  const T* norms = nullptr;  ///< of the stored patterns
  T norm = 0;                ///< of the state
  const T* similarity = nullptr;
  T* ds = nullptr;     ///< in: ds; out: ds / (norms norm), 0 where a norm is 0
  T* along = nullptr;  ///< along_s += ds similarity_s; may be null
};

/// The table that has the products of bf16 pairs.
inline constexpr const char* kPairsName = "AVX3_BF16";

template <class T>
struct TileKernels {
  const char* name;
  bool (*supported)();
  std::int64_t lanes;  ///< elements a vector
  std::int64_t panel;  ///< patterns a panel of packed columns

  /// Patterns [rows, depth] of any storage type as columns: panels of `panel` patterns (the last
  /// one only as wide as whole vectors need, filled with zeros), each [depth][width]. Panel i
  /// begins at to + i * panel * depth. `scales` [rows] are those of kI8.
  void (*pack_columns)(const void* from, DType dtype, const float* scales, std::int64_t row_stride,
                       std::int64_t rows, std::int64_t depth, T* to);
  /// Patterns as rows of `to_stride` elements, the excess zero.
  void (*pack_rows)(const void* from, DType dtype, const float* scales, std::int64_t row_stride,
                    std::int64_t rows, std::int64_t depth, T* to, std::int64_t to_stride);

  void (*accumulate)(const Product<T>&);             ///< f(a, b) = a b
  void (*accumulate_distance)(const Product<T>&);    ///< f(a, b) = -(a - b)^2
  void (*accumulate_difference)(const Product<T>&);  ///< f(a, b) = a (b - center[r, j])

  void (*few_products)(const FewRowsProduct<T>&);   ///< f(a, b) = a b
  void (*few_distances)(const FewRowsProduct<T>&);  ///< f(a, b) = -(a - b)^2

  /// f(a, b) = a b with `b_bf16` for b, which is widened as it is read; null for double.
  void (*accumulate_bf16)(const Product<T>&);

  /// The same numbers as `accumulate`, `few_products`, `pack_columns` and `square_norms` give, two
  /// bf16 components at a time: an element holds the bits of such a pair, the first in the high
  /// half (few_pairs: patterns of kF32 as they lie, the first in the low half), and every depth and
  /// stride counts pairs. Components below 2^-126 and sums below it count as 0. Null where there
  /// is no instruction for it.
  void (*accumulate_pairs)(const Product<T>&);
  void (*few_pairs)(const FewRowsProduct<T>&);
  void (*pack_pairs)(const void* from, std::int64_t row_stride, std::int64_t rows,
                     std::int64_t depth, T* to);
  void (*square_pair_norms)(const T* columns, std::int64_t rows, std::int64_t depth, T* norms);

  /// norms[j] = |pattern j|^2 from packed columns.
  void (*square_norms)(const T* columns, std::int64_t rows, std::int64_t depth, T* norms);
  /// similarity[j] /= norms[j] * norm, 0 where that is 0.
  void (*cosine_row)(std::int64_t count, const T* norms, T norm, T* similarity);

  /// scores[j] = beta * similarity[j] + bias[j] for j < count, -inf where bias[j] is -inf and from
  /// count up to the next multiple of kLogicalLanes. bias may be null; scores may be similarity.
  RowMax<T> (*score_row)(const T* similarity, std::int64_t count, T beta, const T* bias, T* scores);
  /// x[j] := exp(x[j] - shift) for j < count, a multiple of kLogicalLanes; shift is at least every
  /// x[j]. Sum of the results; exp_moment_row also that of result * (x[j] - shift), where a result
  /// of 0 counts 0.
  RowSums<T> (*exp_row)(std::int64_t count, T shift, T* x);
  RowSums<T> (*exp_moment_row)(std::int64_t count, T shift, T* x);
  /// The same without sums, and times `scale`.
  void (*association_row)(std::int64_t count, T shift, T scale, T* x);
  void (*scale_row)(std::int64_t count, T scale, T* x);  ///< any count

  /// p, ds and sum_s ds_s (sum), sum_s ds_s similarity_s (moment; 0 without similarity).
  RowSums<T> (*gradient_row)(const GradientRow<T>&);
  void (*cosine_gradient_row)(const CosineGradientRow<T>&);
};

/// The entry of a target that this CPU lacks. Its own getter must not even be called: it is
/// compiled for that target, too.
template <class T>
TileKernels<T> missing_kernels(const char* name) {
  TileKernels<T> none{};
  none.name = name;
  none.supported = [] { return false; };
  return none;
}

/// Every compiled table, best first.
template <class T>
std::span<const TileKernels<T>> tile_kernels();

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_TILES_H_
