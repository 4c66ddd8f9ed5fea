#include "kernels/associate/simd_work.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace hopfield::internal {

template <class T>
Scratch<T>& thread_scratch() {
  thread_local Scratch<T> scratch;
  return scratch;
}

template <class T>
Engine<T>::Engine(const AssociateCall& call_in, const TileKernels<T>& kernels_in)
    : call(call_in),
      kernels(kernels_in),
      heads(call.shape.heads),
      depth(call.shape.depth),
      value_depth(call.shape.projection_depth),
      padded_depth(padded(depth)),
      padded_value_depth(padded(value_depth)),
      depth_pairs((depth + 1) / 2),
      pairs(kernels.accumulate_pairs != nullptr && call.in.stored.dtype == DType::kBF16 &&
            call.in.similarity != Similarity::kNegativeSquaredDistance && depth > 0) {
  const auto& bias = bias_of<T>(call.in);
  const bool per_row = call.in.hidden.given() || bias.given();
  masked = per_row || !call.in.hidden_stored.empty();
  mask_per_state = (call.in.hidden.given() && call.in.hidden.state_stride != 0) ||
                   (bias.given() && bias.state_stride != 0);
}

std::vector<Item> make_items(const AssociateCall& call, std::int64_t rows) {
  const std::int64_t unit = rows < kRowBlock ? 1 : kRowBlock;
  rows = rows / unit * unit;
  std::vector<Item> items;
  for (std::int64_t b = 0; b < call.shape.num_bags; ++b) {
    const BagPlace bag = locate_bag(call, b);
    const std::int64_t parts = num_blocks(bag.state_count, rows);
    for (std::int64_t h = 0; h < call.shape.heads; ++h) {
      for (std::int64_t p = 0; p < parts; ++p) {
        // Even parts, as far as register blocks allow: 100 states are 54 + 46, not 96 + 4. Rounded
        // up, since then no part is larger than `rows`.
        const auto begin = [&](std::int64_t part) {
          const std::int64_t even = bag.state_count * part / parts;
          return std::min(bag.state_count, num_blocks(even, unit) * unit);
        };
        items.push_back({b, h, begin(p), begin(p + 1), bag.stored_count});
      }
    }
  }
  return items;
}

template <class T>
Plan make_plan(const Engine<T>& engine, std::int64_t rows_max) {
  Plan plan;
  rows_max = std::min(rows_max, kForwardRows);
  plan.items = make_items(engine.call, rows_max);
  const std::int64_t wanted = 4 * static_cast<std::int64_t>(engine.call.executor.concurrency());
  const auto num_items = static_cast<std::int64_t>(plan.items.size());
  if (wanted <= 4 || num_items >= wanted) return plan;
  std::int64_t units = 0, cost = 0;
  for (const Item& item : plan.items) {
    units += num_blocks(item.num_stored, engine.call.block_size);
    cost += item_cost(engine, item);
  }
  constexpr std::int64_t kWorthThreads = std::int64_t{1} << 18;
  if (cost < kWorthThreads) return plan;
  plan.split_blocks = units >= wanted && units > num_items;
  if (!plan.split_blocks && rows_max > 8) {
    plan.items = make_items(engine.call, std::max<std::int64_t>(8, rows_max * num_items / wanted));
  }
  return plan;
}

namespace {

/// Whether every number is one of bf16 and its products with a bf16 number lose nothing that
/// counts where the pairs' instruction takes what is below 2^-126 for 0: docs/math/associate.md.
bool suits_pairs(const float* x, std::int64_t count) {
  bool suits = true;
  for (std::int64_t k = 0; k < count; ++k) {
    const float size = std::fabs(x[k]);
    const bool moderate = size == 0 || (size >= 0x1p-62f && size <= 0x1p62f);
    suits &= moderate && (std::bit_cast<std::uint32_t>(x[k]) & 0xffffu) == 0;
  }
  return suits;
}

/// The pairs of a state that suits them, the first component in the high half.
void pack_state_pairs(const float* x, std::int64_t depth, float* pairs) {
  const auto bits = [&](std::int64_t k) {
    return k < depth ? std::bit_cast<std::uint32_t>(x[k]) : 0u;
  };
  for (std::int64_t k = 0; k < depth; k += 2) {
    pairs[k / 2] = std::bit_cast<float>(bits(k) | bits(k + 1) >> 16);
  }
}

}  // namespace

template <class T>
void load_states(const Engine<T>& engine, Scratch<T>& scratch, RowGroup<T>& group) {
  const PatternView& view = engine.call.in.states;
  const std::int64_t stride = engine.padded_depth;
  group.states = scratch.states.need(group.count * stride);
  for (std::int64_t r = 0; r < group.count; ++r) {
    engine.kernels.pack_rows(
        pattern_address(view, group.place.state_begin + group.state[r], group.head), view.dtype,
        scales_from(view, group.place.state_begin + group.state[r]), 0, 1, engine.depth,
        group.states + r * stride, stride);
  }
  if constexpr (std::is_same_v<T, float>) {
    if (engine.pairs) group.pairs = scratch.state_pairs.need(group.count * engine.depth_pairs);
    for (std::int64_t r = 0; engine.pairs && r < group.count; ++r) {
      const T* state = group.states + r * stride;
      group.paired[r] = suits_pairs(state, engine.depth);
      if (group.paired[r]) {
        pack_state_pairs(state, engine.depth, group.pairs + r * engine.depth_pairs);
      }
    }
  }
  if (engine.call.in.similarity != Similarity::kCosine) return;
  group.norms = scratch.state_norms.need(group.count);
  for (std::int64_t r = 0; r < group.count; ++r) {
    double sum = 0;
    for (std::int64_t k = 0; k < engine.depth; ++k) {
      const auto x = static_cast<double>(group.states[r * stride + k]);
      sum += x * x;
    }
    group.norms[r] = static_cast<T>(std::sqrt(sum));
  }
}

template <class T>
PatternRows<T> load_rows(const Engine<T>& engine, const PatternView& view, std::int64_t row,
                         std::int64_t head, std::int64_t count, Buffer<T>& buffer) {
  const std::int64_t stride = engine.padded(view.depth);
  const void* from = pattern_address(view, row, head);
  if (view.dtype == dtype_of<T>::value && stride == view.depth && from != nullptr) {
    return {static_cast<const T*>(from), view.row_stride};
  }
  T* to = buffer.need(kTile * stride);
  engine.kernels.pack_rows(from, view.dtype, scales_from(view, row), view.row_stride, count,
                           view.depth, to, stride);
  return {to, stride};
}

template <class T>
StoredTile<T> tile_extent(const Engine<T>& engine, std::int64_t begin, std::int64_t end) {
  const auto up = [](std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; };
  StoredTile<T> tile;
  tile.begin = begin;
  tile.count = std::min(kTile, end - begin);
  tile.padded = up(tile.count, engine.kernels.lanes);
  tile.logical = up(tile.count, kLogicalLanes<T>);
  return tile;
}

namespace {

template <class T>
void load_norms(const Engine<T>& engine,
                void (*square_norms)(const T*, std::int64_t, std::int64_t, T*), const T* columns,
                std::int64_t depth, Scratch<T>& scratch, StoredTile<T>& tile) {
  T* norms = scratch.norms.need(kTile);
  std::fill(norms, norms + kTile, T{0});
  square_norms(columns, tile.count, depth, norms);
  if (engine.call.in.similarity == Similarity::kCosine) {
    for (std::int64_t s = 0; s < tile.count; ++s) norms[s] = std::sqrt(norms[s]);
  }
  tile.norms = norms;
}

/// out[r, s] = product of left r and pattern s over `depth` elements of T.
template <class T>
void multiply_tile(const Engine<T>& engine, void (*product)(const Product<T>&), std::int64_t rows,
                   const T* left, std::int64_t left_row, std::int64_t depth,
                   const StoredTile<T>& tile, const T* columns, T* out) {
  // Long patterns are taken in pieces, so that a panel stays in the nearest cache. The chains of
  // additions go on through `out` and do not change.
  constexpr std::int64_t kPiece = 512;
  for (std::int64_t k = 0; k == 0 || k < depth; k += kPiece) {
    for (std::int64_t panel = 0; panel < tile.padded; panel += engine.kernels.panel) {
      Product<T> g;
      g.rows = rows;
      g.width = std::min(engine.kernels.panel, tile.padded - panel);
      g.depth = std::min(kPiece, depth - k);
      g.a = left + k;
      g.a_row = left_row;
      g.b = columns + panel * depth + k * g.width;
      g.b_depth = g.width;
      g.c = out + panel;
      g.c_row = kTile;
      g.fresh = k == 0;
      product(g);
    }
  }
}

template <class T>
void divide_by_norms(const Engine<T>& engine, const RowGroup<T>& group, const StoredTile<T>& tile,
                     T* similarity) {
  if (engine.call.in.similarity != Similarity::kCosine) return;
  for (std::int64_t r = 0; r < group.count; ++r) {
    engine.kernels.cosine_row(tile.padded, tile.norms, group.norms[r], similarity + r * kTile);
  }
}

/// visit(begin, end, paired) for the rows of a group in pieces whose rows are multiplied alike.
template <class T, class Visit>
void for_each_run(const RowGroup<T>& group, const Visit& visit) {
  for (std::int64_t begin = 0, end = 0; begin < group.count; begin = end) {
    while (end < group.count && group.paired[end] == group.paired[begin]) ++end;
    visit(begin, end, group.paired[begin]);
  }
}

/// The bf16 patterns of a tile as pairs of components.
struct TilePairs {
  const void* from;
  std::int64_t row_stride;  ///< in pairs
};

/// Where they lie, or copied where pairs do not begin at each pattern or end with it.
template <class T>
TilePairs tile_pairs(const Engine<T>& engine, const RowGroup<T>& group, const StoredTile<T>& tile,
                     Scratch<T>& scratch) {
  const PatternView& view = engine.call.in.stored;
  if (view.row_stride % 2 == 0 && engine.depth % 2 == 0) {
    return {pattern_address(view, group.place.stored_begin + tile.begin, group.head),
            view.row_stride / 2};
  }
  T* copy = scratch.pair_rows.need(tile.count * engine.depth_pairs);
  std::fill(copy, copy + tile.count * engine.depth_pairs, T{0});
  for (std::int64_t s = 0; s < tile.count; ++s) {
    std::memcpy(copy + s * engine.depth_pairs,
                pattern_address(view, group.place.stored_begin + tile.begin + s, group.head),
                static_cast<std::size_t>(engine.depth) * sizeof(BF16));
  }
  return {copy, engine.depth_pairs};
}

/// Similarities (not cosines) of at most kMostRows rows with patterns as they lie in memory, and
/// square norms where they are wanted.
template <class T>
void compare_few(const Engine<T>& engine, const RowGroup<T>& group, bool want_norms,
                 Scratch<T>& scratch, StoredTile<T>& tile, T* similarity) {
  const PatternView& view = engine.call.in.stored;
  const bool distance = engine.call.in.similarity == Similarity::kNegativeSquaredDistance;
  T* const norms = want_norms ? scratch.norms.need(kTile) : nullptr;
  tile.norms = norms;
  if (want_norms && group.paired[0]) {  // products of pairs have no norms; overwritten below
    few_tile_products(engine, distance, 1, group.states, engine.padded_depth, view, group, tile,
                      similarity, norms);
  }
  for_each_run(group, [&](std::int64_t begin, std::int64_t end, bool paired) {
    T* const out = similarity + begin * kTile;
    if (!paired) {
      few_tile_products(engine, distance, end - begin, group.states + begin * engine.padded_depth,
                        engine.padded_depth, view, group, tile, out, norms);
      return;
    }
    const TilePairs pairs = tile_pairs(engine, group, tile, scratch);
    FewRowsProduct<T> g;
    g.rows = end - begin;
    g.depth = g.a_row = engine.depth_pairs;
    g.a = group.pairs + begin * g.a_row;
    g.from = pairs.from;
    g.dtype = dtype_of<T>::value;
    g.row_stride = pairs.row_stride;
    g.count = tile.count;
    g.c = out;
    g.c_row = kTile;
    engine.kernels.few_pairs(g);
  });
}

}  // namespace

template <class T>
StoredTile<T> load_tile(const Engine<T>& engine, const BagPlace& place, std::int64_t head,
                        std::int64_t begin, std::int64_t end, bool want_norms,
                        Scratch<T>& scratch) {
  StoredTile<T> tile = tile_extent(engine, begin, end);
  const PatternView& view = engine.call.in.stored;
  T* columns = scratch.columns.need(kTile * engine.depth);
  engine.kernels.pack_columns(pattern_address(view, place.stored_begin + begin, head), view.dtype,
                              scales_from(view, place.stored_begin + begin), view.row_stride,
                              tile.count, engine.depth, columns);
  tile.columns = columns;
  if (want_norms) {
    load_norms(engine, engine.kernels.square_norms, columns, engine.depth, scratch, tile);
  }
  return tile;
}

template <class T>
void tile_products(const Engine<T>& engine, bool distance, std::int64_t rows, const T* left,
                   std::int64_t left_row, std::int64_t depth, const StoredTile<T>& tile,
                   const T* columns, T* out) {
  multiply_tile(engine, distance ? engine.kernels.accumulate_distance : engine.kernels.accumulate,
                rows, left, left_row, depth, tile, columns, out);
}

template <class T>
void tile_similarities(const Engine<T>& engine, const RowGroup<T>& group, const StoredTile<T>& tile,
                       T* similarity) {
  tile_products(engine, engine.call.in.similarity == Similarity::kNegativeSquaredDistance,
                group.count, group.states, engine.padded_depth, engine.depth, tile, tile.columns,
                similarity);
  divide_by_norms(engine, group, tile, similarity);
}

template <class T>
void few_tile_products(const Engine<T>& engine, bool distance, std::int64_t rows, const T* left,
                       std::int64_t left_row, const PatternView& view, const RowGroup<T>& group,
                       const StoredTile<T>& tile, T* out, T* norms) {
  FewRowsProduct<T> g;
  g.rows = rows;
  g.depth = view.depth;
  g.a = left;
  g.a_row = left_row;
  const std::int64_t first = group.place.stored_begin + tile.begin;
  g.from = pattern_address(view, first, group.head);
  g.dtype = view.dtype;
  g.row_stride = view.row_stride;
  if (view.dtype == DType::kI8) {  // cheaper than a conversion piece by piece
    const PatternRows<T> decoded =
        load_rows(engine, view, first, group.head, tile.count, thread_scratch<T>().decoded);
    g.from = decoded.data;
    g.dtype = dtype_of<T>::value;
    g.row_stride = decoded.stride;
  }
  g.count = tile.count;
  g.c = out;
  g.c_row = kTile;
  g.norms = norms;
  (distance ? engine.kernels.few_distances : engine.kernels.few_products)(g);
}

template <class T>
StoredTile<T> compare_tile(const Engine<T>& engine, const RowGroup<T>& group, std::int64_t begin,
                           std::int64_t end, bool want_norms, Scratch<T>& scratch, T* similarity) {
  const bool cosine = engine.call.in.similarity == Similarity::kCosine;
  want_norms = want_norms || cosine;
  StoredTile<T> tile = tile_extent(engine, begin, end);
  if (group.count <= FewRowsProduct<T>::kMostRows && !cosine && engine.depth > 0) {
    compare_few(engine, group, want_norms, scratch, tile, similarity);
    return tile;
  }
  const auto num_paired = std::count(group.paired, group.paired + group.count, true);
  if (num_paired < group.count) {
    tile = load_tile(engine, group.place, group.head, begin, end, want_norms, scratch);
  }
  T* pair_columns = nullptr;
  if (num_paired > 0) {
    const TilePairs pairs = tile_pairs(engine, group, tile, scratch);
    pair_columns = scratch.pair_columns.need(kTile * engine.depth_pairs);
    engine.kernels.pack_pairs(pairs.from, pairs.row_stride, tile.count, engine.depth_pairs,
                              pair_columns);
    if (want_norms) {
      load_norms(engine, engine.kernels.square_pair_norms, pair_columns, engine.depth_pairs,
                 scratch, tile);
    }
  }
  for_each_run(group, [&](std::int64_t first, std::int64_t last, bool paired) {
    T* const out = similarity + first * kTile;
    if (paired) {
      multiply_tile(engine, engine.kernels.accumulate_pairs, last - first,
                    group.pairs + first * engine.depth_pairs, engine.depth_pairs,
                    engine.depth_pairs, tile, pair_columns, out);
    } else {
      tile_products(engine, engine.call.in.similarity == Similarity::kNegativeSquaredDistance,
                    last - first, group.states + first * engine.padded_depth, engine.padded_depth,
                    engine.depth, tile, tile.columns, out);
    }
  });
  divide_by_norms(engine, group, tile, similarity);
  return tile;
}

template <class T>
const T* TileMask<T>::row(std::int64_t state) {
  if (!engine_.masked) {
    visible_ = count_;
    return nullptr;
  }
  if (filled_ && !engine_.mask_per_state) return bias_;
  constexpr T kBlocked = -std::numeric_limits<T>::infinity();
  const Associations& in = engine_.call.in;
  const MaskView<T>& bias = bias_of<T>(in);
  std::fill(bias_, bias_ + kTile + 64, T{0});
  if (bias.given()) {
    const T* from = bias.row(bag_, head_, state) + begin_ * bias.stored_stride;
    for (std::int64_t s = 0; s < count_; ++s) bias_[s] = from[s * bias.stored_stride];
  }
  if (!in.hidden_stored.empty()) {
    const std::uint8_t* from = in.hidden_stored.data() + place_.stored_begin + begin_;
    for (std::int64_t s = 0; s < count_; ++s) bias_[s] = from[s] != 0 ? kBlocked : bias_[s];
  }
  if (in.hidden.given()) {
    const std::uint8_t* from = in.hidden.row(bag_, head_, state) + begin_ * in.hidden.stored_stride;
    for (std::int64_t s = 0; s < count_; ++s) {
      bias_[s] = from[s * in.hidden.stored_stride] != 0 ? kBlocked : bias_[s];
    }
  }
  visible_ = 0;
  for (std::int64_t s = 0; s < count_; ++s) visible_ += bias_[s] != kBlocked;
  filled_ = true;
  return bias_;
}

template <class T>
bool all_finite(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t depth) {
  T sum = 0;  // x * 0 is NaN for infinities and NaN, else 0
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < depth; ++k) sum += x[r * stride + k] * 0;
  }
  return sum == 0;
}

#define HOPFIELD_INSTANTIATE(T)                                                                    \
  template Scratch<T>& thread_scratch();                                                           \
  template Engine<T>::Engine(const AssociateCall&, const TileKernels<T>&);                         \
  template Plan make_plan(const Engine<T>&, std::int64_t);                                         \
  template void load_states(const Engine<T>&, Scratch<T>&, RowGroup<T>&);                          \
  template StoredTile<T> tile_extent(const Engine<T>&, std::int64_t, std::int64_t);                \
  template void few_tile_products(const Engine<T>&, bool, std::int64_t, const T*, std::int64_t,    \
                                  const PatternView&, const RowGroup<T>&, const StoredTile<T>&,    \
                                  T*, T*);                                                         \
  template PatternRows<T> load_rows(const Engine<T>&, const PatternView&, std::int64_t,            \
                                    std::int64_t, std::int64_t, Buffer<T>&);                       \
  template StoredTile<T> load_tile(const Engine<T>&, const BagPlace&, std::int64_t, std::int64_t,  \
                                   std::int64_t, bool, Scratch<T>&);                               \
  template void tile_similarities(const Engine<T>&, const RowGroup<T>&, const StoredTile<T>&, T*); \
  template StoredTile<T> compare_tile(const Engine<T>&, const RowGroup<T>&, std::int64_t,          \
                                      std::int64_t, bool, Scratch<T>&, T*);                        \
  template void tile_products(const Engine<T>&, bool, std::int64_t, const T*, std::int64_t,        \
                              std::int64_t, const StoredTile<T>&, const T*, T*);                   \
  template const T* TileMask<T>::row(std::int64_t);                                                \
  template bool all_finite(const T*, std::int64_t, std::int64_t, std::int64_t);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
