#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_WORK_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_WORK_H_

// How a call is cut into work for threads, and how tiles of patterns, states and masks are brought
// in front of the tile kernels. Shared by the forward and backward passes; knows no instruction
// set.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "kernels/associate/partials.h"
#include "kernels/associate/rows.h"
#include "kernels/associate/simd_tiles.h"

namespace hopfield::internal {

/// Rows of the largest register block.
inline constexpr std::int64_t kRowBlock = 6;

/// States of one (bag, head) that share the packing of a tile, at most: forward, and backward,
/// which keeps more of each. Results do not depend on it.
inline constexpr std::int64_t kForwardRows = 32 * kRowBlock;
inline constexpr std::int64_t kGroupRows = 16 * kRowBlock;

/// 64-byte aligned, uninitialised memory that grows and is used again.
template <class T>
class Buffer {
 public:
  /// At least `count` elements; the contents are lost when it has to grow.
  T* need(std::int64_t count) {
    count = std::max<std::int64_t>(count, 1);
    if (count > size_) {
      data_.reset();
      size_ = 0;
      data_.reset(static_cast<T*>(
          ::operator new[](static_cast<std::size_t>(count) * sizeof(T), std::align_val_t{64})));
      size_ = count;
    }
    return data_.get();
  }
  T* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  std::int64_t size_ = 0;
};

/// One thread's working memory. Tasks are leaves (they never wait for others), so a thread uses it
/// for one task at a time.
template <class T>
struct Scratch {
  Buffer<T> states, state_norms, cotangents, saved;
  Buffer<T> state_pairs, pair_columns, pair_rows;
  Buffer<T> columns, rows, value_columns, value_rows, norms, bias;
  Buffer<T> decoded;  ///< codes, of few_tile_products
  Buffer<T> similarity, scores, u;
  Buffer<T> acc, total, gradient, gradient_total, value_gradient, along;
  Buffer<T> stored_across, values_across;
  std::vector<RowPartial<T>> partials, totals;
};
template <class T>
Scratch<T>& thread_scratch();

/// A call with what follows from it.
template <class T>
struct Engine {
  Engine(const AssociateCall& call_in, const TileKernels<T>& kernels_in);

  /// Up to whole vectors.
  std::int64_t padded(std::int64_t count) const {
    return (count + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
  }
  const PatternView& values() const {
    return call.shape.tied ? call.in.stored : call.in.projections;
  }

  const AssociateCall& call;
  const TileKernels<T>& kernels;
  std::int64_t heads, depth, value_depth;
  std::int64_t padded_depth, padded_value_depth;
  std::int64_t depth_pairs;  ///< pairs of components, a zero beside an odd one
  bool pairs;                ///< states that are bf16 numbers are multiplied by pairs
  bool masked;               ///< some pattern may be hidden from some row
  bool mask_per_state;       ///< not all states of a (bag, head) see the same
};

/// States [begin, end) of a bag, for one head: the unit that a result row's arithmetic never
/// notices.
struct Item {
  std::int64_t bag = 0, head = 0, begin = 0, end = 0;
  std::int64_t num_stored = 0;
};

/// Every (bag, head, states), `rows` states at most each.
std::vector<Item> make_items(const AssociateCall& call, std::int64_t rows);

inline std::int64_t num_blocks(std::int64_t count, std::int64_t block_size) {
  return count / block_size + (count % block_size != 0);
}

/// How a pass over the stored patterns is spread: enough items for all threads, or few items whose
/// blocks are computed apart and then folded in order.
struct Plan {
  std::vector<Item> items;
  bool split_blocks = false;
};
template <class T>
Plan make_plan(const Engine<T>& engine, std::int64_t rows_max = kForwardRows);

/// Multiply-adds of an item, roughly.
template <class T>
std::int64_t item_cost(const Engine<T>& engine, const Item& item) {
  return (item.end - item.begin + 4) * (item.num_stored + 4) *
         (engine.depth + engine.value_depth + 8);
}

/// work(i) for i in [0, count), neighbours together in one task where they are small.
template <class Cost, class Work>
void run_balanced(Executor& executor, std::int64_t count, const Cost& cost, const Work& work) {
  constexpr std::int64_t kSmallest = std::int64_t{1} << 17;  // some 10 us
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < count; ++i) total += cost(i);
  const std::int64_t concurrency = executor.concurrency();
  const std::int64_t target =
      concurrency <= 1 ? total : std::max(kSmallest, total / (8 * concurrency));
  if (count <= 1 || total <= target) {
    for (std::int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  std::vector<std::int64_t> ends;
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += cost(i);
    if (sum >= target || i + 1 == count) {
      ends.push_back(i + 1);
      sum = 0;
    }
  }
  executor.run(static_cast<std::int64_t>(ends.size()), [&](std::int64_t task) {
    const auto at = static_cast<std::size_t>(task);
    for (std::int64_t i = task == 0 ? 0 : ends[at - 1]; i < ends[at]; ++i) work(i);
  });
}

/// The states of an item, packed.
template <class T>
struct RowGroup {
  BagPlace place;
  std::int64_t bag = 0, head = 0;
  std::int64_t count = 0;
  std::int64_t state[kForwardRows];  ///< within the bag
  T* states = nullptr;               ///< [count, padded_depth]
  bool paired[kForwardRows] = {};    ///< to be multiplied by pairs of components
  T* pairs = nullptr;                ///< [count, engine.depth_pairs], filled where `paired`
  T* norms = nullptr;                ///< cosine only
  T beta = 0;

  std::int64_t row(std::int64_t r) const { return place.row_begin + state[r]; }
  std::int64_t output(std::int64_t r, std::int64_t heads) const { return row(r) * heads + head; }
};

/// Loads the active states of `item` for which keep(row) holds.
template <class T, class Keep>
void load_group(const Engine<T>& engine, const Item& item, const Keep& keep, Scratch<T>& scratch,
                RowGroup<T>& group) {
  group.place = locate_bag(engine.call, item.bag);
  group.bag = item.bag;
  group.head = item.head;
  group.beta = static_cast<T>(beta_of(engine.call.in, item.head));
  group.count = 0;
  for (std::int64_t t = item.begin; t < item.end; ++t) {
    const std::int64_t row = group.place.row_begin + t;
    if (is_active(engine.call, row, item.head) && keep(row)) group.state[group.count++] = t;
  }
  load_states(engine, scratch, group);
}
template <class T>
void load_states(const Engine<T>& engine, Scratch<T>& scratch, RowGroup<T>& group);

/// Address of a pattern. Not to be called for views without elements.
inline const void* pattern_address(const PatternView& view, std::int64_t row, std::int64_t head) {
  if (view.depth == 0 || view.rows == 0) return nullptr;
  const std::int64_t element = row * view.row_stride + head_of(view, head) * view.head_stride;
  return static_cast<const char*>(view.data) +
         element * static_cast<std::int64_t>(dtype_bytes(view.dtype));
}

/// Scales from a pattern on; null where there are none.
inline const float* scales_from(const PatternView& view, std::int64_t row) {
  return view.scales == nullptr ? nullptr : view.scales + row;
}

/// Patterns as rows of whole vectors: where they are, if their layout allows it, or packed.
template <class T>
struct PatternRows {
  const T* data = nullptr;
  std::int64_t stride = 0;
};
template <class T>
PatternRows<T> load_rows(const Engine<T>& engine, const PatternView& view, std::int64_t row,
                         std::int64_t head, std::int64_t count, Buffer<T>& buffer);

/// Stored patterns [begin, begin + count) of a bag, packed.
template <class T>
struct StoredTile {
  std::int64_t begin = 0, count = 0;
  std::int64_t padded = 0;   ///< count up to whole vectors
  std::int64_t logical = 0;  ///< count up to whole kLogicalLanes
  const T* columns = nullptr;
  const T* norms = nullptr;  ///< square norms, or norms for cosine; null when not asked
};
template <class T>
StoredTile<T> load_tile(const Engine<T>& engine, const BagPlace& place, std::int64_t head,
                        std::int64_t begin, std::int64_t end, bool want_norms, Scratch<T>& scratch);

/// similarity[r, s] for every row of the group; rows kTile apart.
template <class T>
void tile_similarities(const Engine<T>& engine, const RowGroup<T>& group, const StoredTile<T>& tile,
                       T* similarity);

/// Patterns [begin, end) of a bag, kTile at most, neither as columns nor with norms.
template <class T>
StoredTile<T> tile_extent(const Engine<T>& engine, std::int64_t begin, std::int64_t end);

/// out[r, s] = <left r, pattern s>, or -|left r - pattern s|^2, for FewRowsProduct<T>::kMostRows
/// rows at most and patterns of `view` that are read where they lie; rows of out are kTile apart.
/// The patterns' square norms, too, if `norms` is not null.
template <class T>
void few_tile_products(const Engine<T>& engine, bool distance, std::int64_t rows, const T* left,
                       std::int64_t left_row, const PatternView& view, const RowGroup<T>& group,
                       const StoredTile<T>& tile, T* out, T* norms = nullptr);

/// The same for patterns [begin, ...) that are read just for it. The tile has norms if they are
/// wanted, columns only where they were of use.
template <class T>
StoredTile<T> compare_tile(const Engine<T>& engine, const RowGroup<T>& group, std::int64_t begin,
                           std::int64_t end, bool want_norms, Scratch<T>& scratch, T* similarity);

/// out[r, s] = <left r, pattern s>, or -|left r - pattern s|^2, for `columns` packed like the
/// tile's; rows of out are kTile apart.
template <class T>
void tile_products(const Engine<T>& engine, bool distance, std::int64_t rows, const T* left,
                   std::int64_t left_row, std::int64_t depth, const StoredTile<T>& tile,
                   const T* columns, T* out);

/// Bias and visibility of the rows of one (bag, head) against a tile.
template <class T>
class TileMask {
 public:
  TileMask(const Engine<T>& engine, std::int64_t bag, std::int64_t head, const BagPlace& place,
           Buffer<T>& buffer)
      : engine_(engine), bag_(bag), head_(head), place_(place), bias_(buffer.need(kTile + 64)) {}

  void start(std::int64_t begin, std::int64_t count) {
    begin_ = begin;
    count_ = count;
    filled_ = false;
  }
  /// Additive bias of state `state` (within the bag), -inf where blocked; null when there is none.
  /// Valid until the next call. visible() tells how many are not blocked.
  const T* row(std::int64_t state);
  std::int64_t visible() const { return visible_; }

 private:
  const Engine<T>& engine_;
  std::int64_t bag_, head_;
  const BagPlace& place_;
  T* bias_;
  std::int64_t begin_ = 0, count_ = 0, visible_ = 0;
  bool filled_ = false;
};

/// Whether all are finite. [rows, depth]
template <class T>
bool all_finite(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t depth);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_WORK_H_
