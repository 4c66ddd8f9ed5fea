// The tile kernels for one instruction set and both accumulation types. Included once per target by
// simd_tiles_f32.cc and simd_tiles_f64.cc.

#if defined(HOPFIELD_SIMD_TILES_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef HOPFIELD_SIMD_TILES_TOGGLE
#undef HOPFIELD_SIMD_TILES_TOGGLE
#else
#define HOPFIELD_SIMD_TILES_TOGGLE
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/associate/simd_tiles.h"
#include "kernels/simd.h"

#if HOPFIELD_SIMD_TARGET
HWY_BEFORE_NAMESPACE();
namespace hopfield::internal::HWY_NAMESPACE {

using std::int64_t;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vec = hn::Vec<Tag<T>>;
template <class T>
inline constexpr int64_t kLanes = HWY_LANES(T);
/// Vectors a panel: with 32 registers, 6 rows by 4 vectors of sums fit; with 16, 6 by 2.
inline constexpr int kPanelVectors = HWY_TARGET <= HWY_AVX3 ? 4 : 2;
template <class T>
inline constexpr int64_t kPanel = kPanelVectors* kLanes<T>;

constexpr int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

HWY_INLINE size_t at(int64_t i) {
  return static_cast<size_t>(i);
}

/// Into the second cache.
HWY_INLINE void prefetch_far(const char* address) {
#if HWY_COMPILER_GCC || HWY_COMPILER_CLANG
  __builtin_prefetch(address, /*write=*/0, /*locality=*/1);
#else
  hwy::Prefetch(address);
#endif
}

// ---------------------------------------------------------------- products of tiles

struct StepProduct {
  static constexpr bool kCentered = false;
  static constexpr bool kWidened = false;
  template <class V>
  static HWY_INLINE V step(V a, V b, V sum) {
    return hn::MulAdd(a, b, sum);
  }
};
struct StepDistance {
  static constexpr bool kCentered = false;
  static constexpr bool kWidened = false;
  template <class V>
  static HWY_INLINE V step(V a, V b, V sum) {
    const V difference = hn::Sub(a, b);
    return hn::NegMulAdd(difference, difference, sum);
  }
};
struct StepDifference {
  static constexpr bool kCentered = true;
  static constexpr bool kWidened = false;
  template <class V>
  static HWY_INLINE V step(V a, V b, V sum) {
    return hn::MulAdd(a, b, sum);
  }
};

/// The right operand is bf16 in memory.
struct StepWidened : StepProduct {
  static constexpr bool kWidened = true;
};

template <class T>
HWY_INLINE Vec<T> load_right(const T* from) {
  return hn::LoadU(Tag<T>(), from);
}
/// bf16 numbers as f32, of which they are the upper half.
HWY_INLINE Vec<float> load_right(const std::uint16_t* from) {
  const hn::RebindToUnsigned<Tag<float>> bits;
  const hn::Rebind<std::uint16_t, Tag<float>> half;
  return hn::BitCast(Tag<float>(), hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(half, from))));
}
template <class Step, class T>
HWY_INLINE auto right_operand(const Product<T>& g) {
  if constexpr (Step::kWidened) {
    return static_cast<const std::uint16_t*>(g.b_bf16);
  } else {
    return g.b;
  }
}

/// kRows x kVectors vectors of c at (row, column), held in registers over the whole depth.
template <class Step, int kRows, int kVectors, class T>
HWY_INLINE void multiply_block(const Product<T>& g, int64_t row, int64_t column) {
  const Tag<T> d;
  T* const c = g.c + row * g.c_row + column;
  Vec<T> sum[kRows][kVectors];
  Vec<T> center[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = g.fresh ? hn::Zero(d) : hn::LoadU(d, c + r * g.c_row + v * kLanes<T>);
      if constexpr (Step::kCentered) {
        center[r][v] = hn::LoadU(d, g.center + (row + r) * g.center_row + column + v * kLanes<T>);
      }
    }
  }
  const T* a = g.a + row * g.a_row;
  const auto* b = right_operand<Step>(g) + column;
  const bool asks = g.ask_ahead && row == 0;
  for (int64_t k = 0; k < g.depth; ++k) {
    Vec<T> right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = load_right(b + v * kLanes<T>);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec<T> left = hn::Set(d, a[r * g.a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (Step::kCentered) {
          sum[r][v] = Step::step(left, hn::Sub(right[v], center[r][v]), sum[r][v]);
        } else {
          sum[r][v] = Step::step(left, right[v], sum[r][v]);
        }
      }
    }
    if (asks) {
      const char* const soon = reinterpret_cast<const char*>(b) + kAhead;
      for (size_t i = 0; i < kVectors * kLanes<T> * sizeof *b; i += 64) prefetch_far(soon + i);
    }
    a += g.a_depth;
    b += g.b_depth;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, c + r * g.c_row + v * kLanes<T>);
  }
}

template <class Step, int kVectors, class T>
HWY_NOINLINE void multiply_columns(const Product<T>& g, int64_t column) {
  int64_t row = 0;
  for (; row + 6 <= g.rows; row += 6) multiply_block<Step, 6, kVectors>(g, row, column);
  if (row + 4 <= g.rows) {
    multiply_block<Step, 4, kVectors>(g, row, column);
    row += 4;
  }
  if (row + 2 <= g.rows) {
    multiply_block<Step, 2, kVectors>(g, row, column);
    row += 2;
  }
  if (row < g.rows) multiply_block<Step, 1, kVectors>(g, row, column);
}

template <class Step, int kVectors, class T>
void multiply(const Product<T>& g) {
  int64_t column = 0;
  if constexpr (kVectors > 1) {
    for (; column + kVectors * kLanes<T> <= g.width; column += kVectors * kLanes<T>) {
      multiply_columns<Step, kVectors>(g, column);
    }
  }
  for (; column < g.width; column += kLanes<T>) multiply_columns<Step, 1>(g, column);
}

// ---------------------------------------------------------------- reading patterns

/// Pairs of bf16 numbers as they lie in memory, the first in the low half: bf16 is the upper half
/// of f32.
HWY_INLINE Vec<float> first_of_pairs(Vec<float> pairs) {
  const hn::RebindToUnsigned<Tag<float>> bits;
  return hn::BitCast(Tag<float>(), hn::ShiftLeft<16>(hn::BitCast(bits, pairs)));
}
HWY_INLINE Vec<float> second_of_pairs(Vec<float> pairs) {
  const hn::RebindToUnsigned<Tag<float>> bits;
  return hn::BitCast(Tag<float>(), hn::And(hn::BitCast(bits, pairs), hn::Set(bits, 0xffff0000u)));
}

/// Where the scale of a pattern is; null where there are none.
HWY_INLINE const float* scale_at(const float* scales, int64_t row) {
  return scales == nullptr ? nullptr : scales + row;
}

/// depth elements of one pattern, converted; no more than them is read. `scale` points to that of
/// codes.
template <class T>
HWY_INLINE void convert_row(const char* from, DType dtype, const float* scale, int64_t depth,
                            T* to) {
  if constexpr (std::is_same_v<T, float>) {
    if (dtype == DType::kI8) {
      const Tag<float> d;
      const hn::Rebind<std::int32_t, Tag<float>> wide;
      const hn::Rebind<std::int8_t, Tag<float>> narrow;
      const auto* codes = reinterpret_cast<const std::int8_t*>(from);
      int64_t k = 0;
      for (; k + kLanes<float> <= depth; k += kLanes<float>) {
        const auto code = hn::PromoteTo(wide, hn::LoadU(narrow, codes + k));
        hn::StoreU(hn::Mul(hn::ConvertTo(d, code), hn::Set(d, *scale)), d, to + k);
      }
      for (; k < depth; ++k) to[k] = static_cast<float>(codes[k]) * *scale;
      return;
    }
    if (dtype == DType::kBF16) {
      int64_t k = 0;
      for (; k + kLanes<float> <= depth; k += kLanes<float>) {
        const auto* at = reinterpret_cast<const std::uint16_t*>(from + 2 * k);
        hn::StoreU(load_right(at), Tag<float>(), to + k);
      }
      for (; k < depth; ++k) {
        BF16 x;
        std::memcpy(&x, from + 2 * k, sizeof x);
        to[k] = to_f32(x);
      }
      return;
    }
    if (dtype == DType::kF16) {
      int64_t k = 0;
#if HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86  // the instruction, rather than its emulation
      const Tag<float> d;
      const hn::Rebind<hwy::float16_t, Tag<float>> half;
      for (; k + kLanes<float> <= depth; k += kLanes<float>) {
        const auto* at = reinterpret_cast<const hwy::float16_t*>(from + 2 * k);
        hn::StoreU(hn::PromoteTo(d, hn::LoadU(half, at)), d, to + k);
      }
#endif
      for (; k < depth; ++k) {
        F16 x;
        std::memcpy(&x, from + 2 * k, sizeof x);
        to[k] = to_f32(x);
      }
      return;
    }
  }
  if (depth > 0) std::memcpy(to, from, static_cast<size_t>(depth) * sizeof(T));
}

template <class T>
void pack_rows(const void* from, DType dtype, const float* scales, int64_t row_stride, int64_t rows,
               int64_t depth, T* to, int64_t to_stride) {
  if (depth == 0) return std::fill(to, to + rows * to_stride, T{0});  // `from` may be null
  const auto bytes = row_stride * static_cast<int64_t>(dtype_bytes(dtype));
  for (int64_t r = 0; r < rows; ++r) {
    convert_row(static_cast<const char*>(from) + r * bytes, dtype, scale_at(scales, r), depth,
                to + r * to_stride);
    std::fill(to + r * to_stride + depth, to + (r + 1) * to_stride, T{0});
  }
}

/// 128-bit blocks a vector, and elements a block.
template <class T>
inline constexpr int kBlocks = static_cast<int>(kLanes<T>* static_cast<int64_t>(sizeof(T)) / 16);
template <class T>
inline constexpr int64_t kBlockLanes = 16 / static_cast<int64_t>(sizeof(T));

/// Where the blocks of a vector come from: patterns kBlockLanes apart.
template <class T>
struct BlockPointers {
  const char* at[4];

  /// Stops the compiler from keeping a pointer for each pattern, which are more than the registers.
  HWY_INLINE void forget() {
#if HWY_COMPILER_GCC || HWY_COMPILER_CLANG
    for (int b = 0; b < kBlocks<T>; ++b) asm("" : "+r"(at[b]));
#endif
  }
};

/// The vector whose blocks are the ones at from.at[b] + offset bytes.
template <class T>
HWY_INLINE Vec<T> load_blocks(const BlockPointers<T>& from, int64_t offset) {
  const Tag<T> d;
  const auto at = [&](int b) { return reinterpret_cast<const T*>(from.at[b] + offset); };
  if constexpr (kBlocks<T> == 1) {
    return hn::LoadU(d, at(0));
  } else if constexpr (kBlocks<T> == 2) {
    const hn::Half<Tag<T>> half;
    return hn::Combine(d, hn::LoadU(half, at(1)), hn::LoadU(half, at(0)));
  } else {
    const hn::Half<Tag<T>> half;
    const hn::Half<hn::Half<Tag<T>>> quarter;
    const auto low = hn::Combine(half, hn::LoadU(quarter, at(1)), hn::LoadU(quarter, at(0)));
    const auto high = hn::Combine(half, hn::LoadU(quarter, at(3)), hn::LoadU(quarter, at(2)));
    return hn::Combine(d, high, low);
  }
}

/// The pattern in a lane of columns of `rows` patterns, kBlockLanes <= rows <= kLanes: where a
/// block would go beyond the last, it begins earlier and has some patterns a second time.
template <class T>
HWY_INLINE int64_t pattern_of_lane(int64_t lane, int64_t rows) {
  const int64_t block = lane / kBlockLanes<T> * kBlockLanes<T>;
  return std::min(block, rows - kBlockLanes<T>) + lane - block;
}

/// Brings such a column into order, zeros behind the last pattern.
template <class T>
struct LaneOrder {
  using Index = hn::RebindToSigned<Tag<T>>;
  using Lane = hn::TFromD<Index>;
  decltype(hn::IndicesFromVec(Tag<T>(), hn::Zero(Index()))) indices;
  decltype(hn::FirstN(Tag<T>(), 0)) patterns;

  explicit HWY_INLINE LaneOrder(int64_t rows)
      : indices(hn::IndicesFromVec(Tag<T>(), lane_of_pattern(rows))),
        patterns(hn::FirstN(Tag<T>(), at(rows))) {}
  HWY_INLINE Vec<T> operator()(Vec<T> column) const {
    return hn::IfThenElseZero(patterns, hn::TableLookupLanes(column, indices));
  }

 private:
  static HWY_INLINE hn::Vec<Index> lane_of_pattern(int64_t rows) {
    const Index d;
    const auto pattern = hn::Iota(d, 0);
    const auto block = hn::And(pattern, hn::Set(d, static_cast<Lane>(-kBlockLanes<T>)));
    const auto begin = hn::Min(block, hn::Set(d, static_cast<Lane>(rows - kBlockLanes<T>)));
    const auto lane = hn::Add(pattern, hn::Sub(block, begin));
    return hn::And(lane, hn::Set(d, static_cast<Lane>(kLanes<T> - 1)));
  }
};

/// Transposes at most kLanes patterns of `depth` elements of T, row_bytes apart: put(k, column k)
/// with lanes as pattern_of_lane has them. With each column goes one vector's worth of what lies
/// `ahead` bytes further on, and half of it, into the second cache.
template <class T, class Put>
HWY_INLINE void transpose(const char* from, int64_t row_bytes, int64_t rows, int64_t depth,
                          int64_t ahead, const Put& put) {
  const Tag<T> d;
  BlockPointers<T> blocks = {};
  for (int b = 0; b < kBlocks<T>; ++b) {
    blocks.at[b] = from + pattern_of_lane<T>(b * kBlockLanes<T>, rows) * row_bytes;
  }
  constexpr int64_t kVectorBytes = kLanes<T> * static_cast<int64_t>(sizeof(T));
  const char* soon = from + ahead;
  int64_t k = 0;
  for (; k + kBlockLanes<T> <= depth; k += kBlockLanes<T>) {
    if (ahead > 0) {
      for (int64_t i = 0; i < kBlockLanes<T>; ++i) {
        prefetch_far(soon + i * kVectorBytes);
        prefetch_far(soon - ahead / 2 + i * kVectorBytes);
      }
      soon += kBlockLanes<T> * kVectorBytes;
    }
    if constexpr (sizeof(T) == 4) {
      const hn::RepartitionToWide<Tag<T>> pair;
      const Vec<T> a0 = load_blocks(blocks, 0);
      const Vec<T> a1 = load_blocks(blocks, row_bytes);
      const Vec<T> a2 = load_blocks(blocks, 2 * row_bytes);
      const Vec<T> a3 = load_blocks(blocks, 3 * row_bytes);
      const auto low01 = hn::BitCast(pair, hn::InterleaveLower(d, a0, a1));
      const auto low23 = hn::BitCast(pair, hn::InterleaveLower(d, a2, a3));
      const auto high01 = hn::BitCast(pair, hn::InterleaveUpper(d, a0, a1));
      const auto high23 = hn::BitCast(pair, hn::InterleaveUpper(d, a2, a3));
      put(k, hn::BitCast(d, hn::InterleaveLower(pair, low01, low23)));
      put(k + 1, hn::BitCast(d, hn::InterleaveUpper(pair, low01, low23)));
      put(k + 2, hn::BitCast(d, hn::InterleaveLower(pair, high01, high23)));
      put(k + 3, hn::BitCast(d, hn::InterleaveUpper(pair, high01, high23)));
    } else {
      const Vec<T> a0 = load_blocks(blocks, 0);
      const Vec<T> a1 = load_blocks(blocks, row_bytes);
      put(k, hn::InterleaveLower(d, a0, a1));
      put(k + 1, hn::InterleaveUpper(d, a0, a1));
    }
    for (int b = 0; b < kBlocks<T>; ++b) blocks.at[b] += 16;
    blocks.forget();
  }
  for (; k < depth; ++k) {
    HWY_ALIGN T column[kLanes<T>];
    for (int64_t i = 0; i < kLanes<T>; ++i) {
      std::memcpy(
          column + i,
          from + pattern_of_lane<T>(i, rows) * row_bytes + k * static_cast<int64_t>(sizeof(T)),
          sizeof(T));
    }
    put(k, hn::Load(d, column));
  }
}

/// Patterns of one call as they lie in memory.
template <class T>
struct PatternBytes {
  DType dtype;
  const float* scales;  ///< of the first pattern on; of codes only
  int64_t row_bytes, depth;

  PatternBytes(DType dtype_in, const float* scales_in, int64_t row_stride, int64_t depth_in)
      : dtype(dtype_in),
        scales(scales_in),
        row_bytes(row_stride * static_cast<int64_t>(dtype_bytes(dtype_in))),
        depth(depth_in) {}
  int64_t bytes() const { return depth * static_cast<int64_t>(dtype_bytes(dtype)); }
  bool same_type() const { return dtype == dtype_of<T>::value; }
  /// Two components make one element of T.
  bool pairs() const { return std::is_same_v<T, float> && dtype == DType::kBF16 && depth % 2 == 0; }
  /// How early they are asked for; 0: not at all.
  int64_t ahead() const { return row_bytes == bytes() && (same_type() || pairs()) ? kAhead : 0; }
};

/// At most kLanes patterns, if they can be transposed as they lie: put(k, column k), k ascending,
/// lanes as pattern_of_lane has them.
template <class T, class Put>
HWY_INLINE bool transpose_in_place(const char* from, const PatternBytes<T>& p, int64_t rows,
                                   const Put& put) {
  if (rows < kBlockLanes<T>) return false;
  if (p.same_type()) {
    transpose<T>(from, p.row_bytes, rows, p.depth, p.ahead(), put);
    return true;
  }
  if constexpr (std::is_same_v<T, float>) {
    if (p.pairs()) {
      transpose<T>(
          from, p.row_bytes, rows, p.depth / 2,
          p.ahead(), [&](int64_t k, Vec<T> pairs) __attribute__((always_inline)) {
            put(2 * k, first_of_pairs(pairs));
            put(2 * k + 1, second_of_pairs(pairs));
          });
      return true;
    }
  }
  return false;
}

/// Of all patterns at `all`, at most kLanes from `first` on, of any storage type, by way of a
/// buffer: put(k, column k), k ascending.
template <class T, class Put>
HWY_INLINE void transpose_converted(const char* all, const PatternBytes<T>& p, int64_t first,
                                    int64_t rows, const Put& put) {
  constexpr int64_t kChunk = 64;
  HWY_ALIGN T buffer[kLanes<T> * kChunk] = {};
  const auto element = static_cast<int64_t>(dtype_bytes(p.dtype));
  const char* const from = all + first * p.row_bytes;
  for (int64_t k = 0; k < p.depth; k += kChunk) {
    const int64_t chunk = std::min(kChunk, p.depth - k);
    for (int64_t r = 0; r < rows; ++r) {
      convert_row(from + r * p.row_bytes + k * element, p.dtype, scale_at(p.scales, first + r),
                  chunk, buffer + r * kChunk);
    }
    transpose<T>(reinterpret_cast<const char*>(buffer), kChunk * static_cast<int64_t>(sizeof(T)),
                 kLanes<T>, chunk, 0,
                 [&](int64_t i, Vec<T> column) HWY_ATTR { put(k + i, column); });
  }
}

/// Reads one element of each cache line, in the order of memory, of patterns that nobody asked for
/// ahead, and asks for those kAhead further on: between them lie other heads. The transposition
/// that follows reads in another order, which the prefetchers of the CPU do not foresee.
template <class T>
void touch(const char* from, const PatternBytes<T>& p, int64_t rows) {
  if (p.ahead() > 0 || p.bytes() == 0) return;
  const int64_t ahead = std::max<int64_t>(kAhead / p.bytes(), 1) * p.row_bytes;
  for (int64_t r = 0; r < rows; ++r) {
    const char* const row = from + r * p.row_bytes;
    for (int64_t i = 0; i < p.bytes(); i += 64) {
      (void)*static_cast<const volatile char*>(row + i);
      prefetch_far(row + ahead + i);
    }
  }
}

/// Packed columns, each changed by `column_of` on its way.
template <class T, class Column>
void pack_columns_as(const void* from, const PatternBytes<T>& p, int64_t rows, T* to,
                     const Column& column_of) {
  if (p.depth == 0) return;  // `from` may be null
  const Tag<T> d;
  const auto* const first = static_cast<const char*>(from);
  touch(first, p, rows);
  for (int64_t panel = 0; panel < rows; panel += kPanel<T>) {
    const int64_t width = std::min(kPanel<T>, round_up(rows - panel, kLanes<T>));
    for (int64_t v = 0; v < width; v += kLanes<T>) {
      const char* const group = first + (panel + v) * p.row_bytes;
      const int64_t count = std::min(kLanes<T>, rows - panel - v);
      T* const column = to + panel * p.depth + v;
      const auto store = [&](int64_t k, Vec<T> x)
                             HWY_ATTR { hn::StoreU(column_of(x), d, column + k * width); };
      if (count == kLanes<T>) {
        if (transpose_in_place(group, p, count, store)) continue;
      } else if (kLanes<T> > kBlockLanes<T>) {
        const LaneOrder<T> in_order(count);
        const auto store_in_order = [&](int64_t k, Vec<T> x) HWY_ATTR { store(k, in_order(x)); };
        if (transpose_in_place(group, p, count, store_in_order)) continue;
      }
      transpose_converted(first, p, panel + v, count, store);
    }
  }
}

template <class T>
void pack_columns(const void* from, DType dtype, const float* scales, int64_t row_stride,
                  int64_t rows, int64_t depth, T* to) {
  pack_columns_as(from, PatternBytes<T>(dtype, scales, row_stride, depth), rows, to,
                  [](Vec<T> x) HWY_ATTR { return x; });
}

/// norms[j], for each packed column from 0: norm = step(norm, element).
template <class T, class Step>
void square_norms_of(const T* columns, int64_t rows, int64_t depth, T* norms, const Step& step) {
  const Tag<T> d;
  for (int64_t panel = 0; panel < rows; panel += kPanel<T>) {
    const int64_t width = std::min(kPanel<T>, round_up(rows - panel, kLanes<T>));
    for (int64_t v = 0; v < width; v += kLanes<T>) {
      const T* column = columns + panel * depth + v;
      Vec<T> sum = hn::Zero(d);
      for (int64_t k = 0; k < depth; ++k) sum = step(sum, hn::LoadU(d, column + k * width));
      hn::StoreU(sum, d, norms + panel + v);
    }
  }
}

template <class T>
void square_norms(const T* columns, int64_t rows, int64_t depth, T* norms) {
  square_norms_of(columns, rows, depth, norms,
                  [](Vec<T> sum, Vec<T> x) HWY_ATTR { return hn::MulAdd(x, x, sum); });
}

#if HOPFIELD_SIMD_PAIRS && HWY_TARGET == HWY_AVX3
/// Products of bf16 pairs, which are exact in f32. The instruction adds that of the high halves,
/// rounds, then that of the low ones: with the first component in the high half, that is the chain
/// of fused multiply-adds of StepProduct.
struct StepPairs {
  static constexpr bool kCentered = false;
  static constexpr bool kWidened = false;
  template <class V>
  static HWY_INLINE V step(V a, V b, V sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(b.raw), "v"(a.raw));
    return sum;
  }
};
/// Patterns' pairs as they lie in memory, the first component in the low half.
HWY_INLINE Vec<float> first_to_high(Vec<float> pairs) {
  const hn::RebindToUnsigned<Tag<float>> bits;
  return hn::BitCast(Tag<float>(), hn::RotateRight<16>(hn::BitCast(bits, pairs)));
}
struct StepPairsAsTheyLie {
  template <class V>
  static HWY_INLINE V step(V a, V b, V sum) {
    return StepPairs::step(a, first_to_high(b), sum);
  }
};

inline void pack_pairs(const void* from, int64_t row_stride, int64_t rows, int64_t depth,
                       float* to) {
  pack_columns_as(from, PatternBytes<float>(DType::kF32, nullptr, row_stride, depth), rows, to,
                  [](Vec<float> pairs) HWY_ATTR { return first_to_high(pairs); });
}

inline void square_pair_norms(const float* columns, int64_t rows, int64_t depth, float* norms) {
  square_norms_of<float>(columns, rows, depth, norms, [](Vec<float> sum, Vec<float> x) HWY_ATTR {
    const Vec<float> first = second_of_pairs(x), second = first_of_pairs(x);
    return hn::MulAdd(second, second, hn::MulAdd(first, first, sum));
  });
}
#endif

/// Sums of kRows rows with kLanes patterns, which `transpose` brings one column at a time. Inlined
/// with it: a sum that went through memory would wait for it at every column.
template <class Step, int kRows, bool kNorms, class T>
struct FewSums {
  Vec<T> sum[kRows];
  Vec<T> norm = hn::Zero(Tag<T>());

  HWY_INLINE FewSums() {
    for (int r = 0; r < kRows; ++r) sum[r] = hn::Zero(Tag<T>());
  }
  HWY_INLINE void add(const FewRowsProduct<T>& g, int64_t k, Vec<T> column) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      sum[r] = Step::step(hn::Set(Tag<T>(), g.a[r * g.a_row + k]), column, sum[r]);
    }
    if constexpr (kNorms) norm = hn::MulAdd(column, column, norm);
  }
  HWY_INLINE void order(const LaneOrder<T>& in_order) {
    for (int r = 0; r < kRows; ++r) sum[r] = in_order(sum[r]);
    if constexpr (kNorms) norm = in_order(norm);
  }
  HWY_INLINE void store(const FewRowsProduct<T>& g, int64_t first) const {
    for (int r = 0; r < kRows; ++r) hn::StoreU(sum[r], Tag<T>(), g.c + r * g.c_row + first);
    if constexpr (kNorms) hn::StoreU(norm, Tag<T>(), g.norms + first);
  }
};

/// At most kLanes patterns of any storage type.
template <class Step, int kRows, bool kNorms, class T>
HWY_NOINLINE void multiply_few_converted(const FewRowsProduct<T>& g, const PatternBytes<T>& p,
                                         int64_t first, int64_t count) {
  FewSums<Step, kRows, kNorms, T> sums;
  transpose_converted(static_cast<const char*>(g.from), p, first, count,
                      [&](int64_t k, Vec<T> x) HWY_ATTR { sums.add(g, k, x); });
  sums.store(g, first);
}

/// The chain of `multiply` without storing the columns, which costs more than using them once.
template <class Step, int kRows, bool kNorms, class T>
HWY_NOINLINE void multiply_few_rows(const FewRowsProduct<T>& g) {
  const PatternBytes<T> p(g.dtype, nullptr, g.row_stride, g.depth);
  const auto* const from = static_cast<const char*>(g.from);
  for (int64_t first = 0; first < g.count; first += kLanes<T>) {
    const char* const group = from + first * p.row_bytes;
    const int64_t count = std::min(kLanes<T>, g.count - first);
    touch(group, p, count);
    FewSums<Step, kRows, kNorms, T> sums;
    if (transpose_in_place(
            group, p, count, [&](int64_t k, Vec<T> x) __attribute__((always_inline)) {
              sums.add(g, k, x);
            })) {
      if (count < kLanes<T>) sums.order(LaneOrder<T>(count));
      sums.store(g, first);
    } else {
      multiply_few_converted<Step, kRows, kNorms>(g, p, first, count);
    }
  }
}

template <class Step, bool kNorms, class T>
void multiply_few(const FewRowsProduct<T>& g) {
  switch (g.rows) {
    case 1:
      return multiply_few_rows<Step, 1, kNorms>(g);
    case 2:
      return multiply_few_rows<Step, 2, kNorms>(g);
    case 3:
      return multiply_few_rows<Step, 3, kNorms>(g);
    default:
      return multiply_few_rows<Step, 4, kNorms>(g);
  }
}

template <class Step, class T>
void multiply_few(const FewRowsProduct<T>& g) {
  g.norms == nullptr ? multiply_few<Step, false>(g) : multiply_few<Step, true>(g);
}

// ---------------------------------------------------------------- rows of a tile

/// Lane i with lane i + half, then with half of that.
template <class D, class V>
HWY_INLINE hn::TFromD<D> sum_of_halves(D d, V x) {
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) > 16) {
    const hn::Half<D> half;
    return sum_of_halves(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  } else if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const V pairs = hn::Add(x, hn::Shuffle1032(x));
    return hn::GetLane(hn::Add(pairs, hn::Shuffle2301(pairs)));
  } else {
    return hn::GetLane(hn::Add(x, hn::Shuffle01(x)));
  }
}

/// kLogicalLanes sums, in as many vectors as the target needs.
template <class T>
struct LogicalSum {
  static constexpr int kVectors = static_cast<int>(kLogicalLanes<T> / kLanes<T>);
  Vec<T> part[kVectors];

  HWY_INLINE LogicalSum() {
    for (int v = 0; v < kVectors; ++v) part[v] = hn::Zero(Tag<T>());
  }
  /// The same tree for every vector length.
  HWY_INLINE T total() {
    for (int half = kVectors / 2; half > 0; half /= 2) {
      for (int v = 0; v < half; ++v) part[v] = hn::Add(part[v], part[v + half]);
    }
    return sum_of_halves(Tag<T>(), part[0]);
  }
};

template <class T>
void cosine_row(int64_t count, const T* norms, T norm, T* similarity) {
  const Tag<T> d;
  for (int64_t j = 0; j < count; j += kLanes<T>) {
    const Vec<T> scale = hn::Mul(hn::LoadU(d, norms + j), hn::Set(d, norm));
    const Vec<T> ratio = hn::Div(hn::LoadU(d, similarity + j), scale);
    hn::StoreU(hn::IfThenZeroElse(hn::Eq(scale, hn::Zero(d)), ratio), d, similarity + j);
  }
}

template <class T>
RowMax<T> score_row(const T* similarity, int64_t count, T beta, const T* bias, T* scores) {
  const Tag<T> d;
  const Vec<T> blocked = hn::Set(d, -std::numeric_limits<T>::infinity());
  const Vec<T> scale = hn::Set(d, beta);
  Vec<T> max = blocked;
  auto nan = hn::FirstN(d, 0);
  const int64_t padded = round_up(count, kLogicalLanes<T>);
  for (int64_t j = 0; j < padded; j += kLanes<T>) {
    Vec<T> score = blocked;
    if (j < count) {
      const Vec<T> x = hn::LoadU(d, similarity + j);
      if (bias == nullptr) {
        score = hn::Mul(scale, x);
      } else {
        const Vec<T> shift = hn::LoadU(d, bias + j);
        score = hn::IfThenElse(hn::Eq(shift, blocked), blocked, hn::MulAdd(scale, x, shift));
      }
      if (count < j + kLanes<T>) {
        score = hn::IfThenElse(hn::FirstN(d, at(count - j)), score, blocked);
      }
      // Not Ne(score, score): with AVX, Highway 1.0.3 makes that an ordered comparison.
      nan = hn::Or(nan, hn::IsNaN(score));
      max = hn::IfThenElse(hn::Gt(score, max), score, max);
    }
    hn::StoreU(score, d, scores + j);
  }
  return {hn::GetLane(hn::MaxOfLanes(d, max)), !hn::AllFalse(d, nan)};
}

template <bool kMoment, class T>
RowSums<T> exp_row(int64_t count, T shift, T* x) {
  const Tag<T> d;
  LogicalSum<T> sum, moment;
  const Vec<T> minus = hn::Set(d, shift);
  for (int64_t j = 0; j < count; j += kLogicalLanes<T>) {
    for (int v = 0; v < LogicalSum<T>::kVectors; ++v) {
      T* const at_v = x + j + v * kLanes<T>;
      const Vec<T> shifted = hn::Sub(hn::LoadU(d, at_v), minus);
      const Vec<T> p = Exp</*kNotPositive=*/true>(d, shifted);
      hn::StoreU(p, d, at_v);
      sum.part[v] = hn::Add(sum.part[v], p);
      if constexpr (kMoment) {
        const Vec<T> moments = hn::MulAdd(p, shifted, moment.part[v]);
        moment.part[v] = hn::IfThenElse(hn::Eq(p, hn::Zero(d)), moment.part[v], moments);
      }
    }
  }
  return {sum.total(), kMoment ? moment.total() : T{0}};
}

template <class T>
void association_row(int64_t count, T shift, T scale, T* x) {
  const Tag<T> d;
  for (int64_t j = 0; j < count; j += kLanes<T>) {
    const Vec<T> p = Exp(d, hn::Sub(hn::LoadU(d, x + j), hn::Set(d, shift)));
    hn::StoreU(hn::Mul(p, hn::Set(d, scale)), d, x + j);
  }
}

template <class T>
void scale_row(int64_t count, T scale, T* x) {
  const Tag<T> d;
  int64_t j = 0;
  for (; j + kLanes<T> <= count; j += kLanes<T>) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + j), hn::Set(d, scale)), d, x + j);
  }
  for (; j < count; ++j) x[j] *= scale;
}

template <class T>
RowSums<T> gradient_row(const GradientRow<T>& g) {
  const Tag<T> d;
  LogicalSum<T> sum, moment;
  const Vec<T> blocked = hn::Set(d, -std::numeric_limits<T>::infinity());
  for (int64_t j = 0; j < g.count; j += kLogicalLanes<T>) {
    for (int v = 0; v < LogicalSum<T>::kVectors; ++v) {
      const int64_t i = j + v * kLanes<T>;
      const Vec<T> score = hn::LoadU(d, g.scores + i);
      const Vec<T> log_p = hn::Sub(score, hn::Set(d, g.lse));
      const Vec<T> p = hn::IfThenZeroElse(hn::Eq(score, blocked), Exp(d, log_p));
      Vec<T> factor = hn::Set(d, g.offset);
      if (g.u != nullptr) factor = hn::Add(hn::LoadU(d, g.u + i), factor);
      factor = hn::NegMulAdd(hn::Set(d, g.entropy), log_p, factor);
      // Where p underflowed, log p may be infinite and must not turn 0 into NaN.
      const Vec<T> ds = hn::IfThenZeroElse(hn::Eq(p, hn::Zero(d)), hn::Mul(p, factor));
      hn::StoreU(p, d, g.p + i);
      hn::StoreU(ds, d, g.ds + i);
      sum.part[v] = hn::Add(sum.part[v], ds);
      if (g.similarity != nullptr) {
        const Vec<T> moments = hn::MulAdd(ds, hn::LoadU(d, g.similarity + i), moment.part[v]);
        moment.part[v] = hn::IfThenElse(hn::Eq(ds, hn::Zero(d)), moment.part[v], moments);
      }
    }
  }
  return {sum.total(), moment.total()};
}

template <class T>
void cosine_gradient_row(const CosineGradientRow<T>& g) {
  const Tag<T> d;
  for (int64_t j = 0; j < g.count; j += kLanes<T>) {
    const Vec<T> ds = hn::LoadU(d, g.ds + j);
    const Vec<T> scale = hn::Mul(hn::LoadU(d, g.norms + j), hn::Set(d, g.norm));
    const auto none = hn::Or(hn::Eq(scale, hn::Zero(d)), hn::Eq(ds, hn::Zero(d)));
    if (g.along != nullptr) {
      const Vec<T> along = hn::LoadU(d, g.along + j);
      const Vec<T> more = hn::MulAdd(ds, hn::LoadU(d, g.similarity + j), along);
      hn::StoreU(hn::IfThenElse(none, along, more), d, g.along + j);
    }
    hn::StoreU(hn::IfThenZeroElse(none, hn::Div(ds, scale)), d, g.ds + j);
  }
}

/// Asked once: Highway queries the CPU anew each time, which takes 30 us on a virtual machine.
template <class T>
bool is_supported() {
  static const bool supported = (hwy::SupportedTargets() & HWY_TARGET) != 0;
  return supported;
}

template <class T>
TileKernels<T> kernels() {
  TileKernels<T> table = {
      .name = hwy::TargetName(HWY_TARGET),
      .supported = is_supported<T>,
      .lanes = kLanes<T>,
      .panel = kPanel<T>,
      .pack_columns = pack_columns<T>,
      .pack_rows = pack_rows<T>,
      .accumulate = multiply<StepProduct, kPanelVectors, T>,
      .accumulate_distance = multiply<StepDistance, kPanelVectors, T>,
      .accumulate_difference = multiply<StepDifference, 1, T>,
      .few_products = multiply_few<StepProduct, T>,
      .few_distances = multiply_few<StepDistance, T>,
      .accumulate_bf16 = nullptr,
      .accumulate_pairs = nullptr,
      .few_pairs = nullptr,
      .pack_pairs = nullptr,
      .square_pair_norms = nullptr,
      .square_norms = square_norms<T>,
      .cosine_row = cosine_row<T>,
      .score_row = score_row<T>,
      .exp_row = exp_row</*kMoment=*/false, T>,
      .exp_moment_row = exp_row</*kMoment=*/true, T>,
      .association_row = association_row<T>,
      .scale_row = scale_row<T>,
      .gradient_row = gradient_row<T>,
      .cosine_gradient_row = cosine_gradient_row<T>,
  };
  if constexpr (std::is_same_v<T, float>) {
    table.accumulate_bf16 = multiply<StepWidened, kPanelVectors, T>;
  }
  return table;
}

#if HOPFIELD_SIMD_PAIRS && HWY_TARGET == HWY_AVX3
/// The same with products of bf16 pairs, in f32.
template <class T>
TileKernels<T> kernels_with_pairs() {
  TileKernels<T> table = kernels<T>();
  table.name = kPairsName;
  table.supported = [] { return is_supported<T>() && __builtin_cpu_supports("avx512bf16"); };
  if constexpr (std::is_same_v<T, float>) {
    table.accumulate_pairs = multiply<StepPairs, kPanelVectors, T>;
    table.few_pairs = multiply_few<StepPairsAsTheyLie, /*kNorms=*/false, T>;
    table.pack_pairs = pack_pairs;
    table.square_pair_norms = square_pair_norms;
  }
  return table;
}
#endif

}  // namespace hopfield::internal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HOPFIELD_SIMD_TARGET

#endif  // per target
