// Softmax, forward. Tiles of scores are folded into a running (max, sum, weighted sum); blocks of
// tiles become partial states, which are merged in order by the arithmetic of partials.h.

#include <cmath>

#include "hopfield/base/os.h"
#include "kernels/associate/simd_associations.h"
#include "kernels/associate/simd_collect.h"
#include "kernels/associate/simd_distribution.h"
#include "kernels/associate/simd_implementation.h"
#include "kernels/associate/simd_work.h"

namespace hopfield::internal {
namespace {

struct Wants {
  bool norms = false;  ///< the largest square norm, for the energy
  bool index = false;  ///< where the maximum is
  bool values = true;  ///< the weighted sum
  bool moment = true;  ///< for the entropy; else RowPartial::moment means nothing
};

/// All scores of a call, one row an output index; for one bag without masks.
template <class T>
struct KeptScores {
  T* data = nullptr;  ///< null: none are kept
  std::int64_t row_stride = 0;
};

/// Whether rows may keep their scores for what follows the pass over the patterns: some memory is
/// cheaper than a second pass. One row may always.
template <class T>
bool may_keep_scores(const Engine<T>& engine) {
  constexpr std::int64_t kMostScores = std::int64_t{1} << 23;
  const AssociationShape& shape = engine.call.shape;
  const std::int64_t rows = shape.rows * engine.heads;
  return shape.num_bags == 1 && !engine.masked && shape.num_stored > 0 &&
         (rows == 1 || rows <= kMostScores / shape.num_stored);
}

/// First entry equal to the tile's maximum; the first visible one where all are -inf.
template <class T>
std::int64_t first_largest(const T* scores, std::int64_t count, T max, const T* bias) {
  for (std::int64_t s = 0; s < count; ++s) {
    const bool visible = bias == nullptr || bias[s] != -std::numeric_limits<T>::infinity();
    if (visible && scores[s] == max) return s;
  }
  return 0;  // every visible score is NaN
}

/// Partial states of a group's rows, block by block.
template <class T>
class BlockFolder {
 public:
  BlockFolder(const Engine<T>& engine, const Wants& wants, const KeptScores<T>& kept,
              const RowGroup<T>& group, Scratch<T>& scratch)
      : engine_(engine),
        wants_(wants),
        kept_(kept),
        group_(group),
        scratch_(scratch),
        mask_(engine, group.bag, group.head, group.place, scratch.bias),
        similarity_(scratch.similarity.need(group.count * kTile)) {}

  /// Patterns [begin, end) of the bag: writes group.count partials and acc [count, padded depth].
  void fold(std::int64_t begin, std::int64_t end, RowPartial<T>* partials, T* acc) {
    const std::int64_t stride = engine_.padded_value_depth;
    std::fill(partials, partials + group_.count, RowPartial<T>());
    std::fill(acc, acc + group_.count * stride, T{0});
    for (std::int64_t s = begin; s < end; s += kTile) {
      const StoredTile<T> tile =
          compare_tile(engine_, group_, s, end, wants_.norms, scratch_, similarity_);
      mask_.start(s, tile.count);
      largest_norm_known_ = false;
      for (std::int64_t r = 0; r < group_.count; ++r) {
        fold_row(tile, r, partials[r], similarity_ + r * kTile, acc + r * stride);
      }
      if (wants_.values && engine_.value_depth > 0) add_values(tile, acc);
    }
    for (std::int64_t r = 0; r < group_.count; ++r) {
      // exp(-inf - -inf): a row that sees only scores of -inf has no associations.
      if (partials[r].visible > 0 && std::isinf(partials[r].max) && partials[r].max < 0) {
        partials[r].sum = partials[r].moment = std::numeric_limits<T>::quiet_NaN();
      }
    }
  }

 private:
  /// Replaces the row's similarities by its weights relative to the running maximum.
  void fold_row(const StoredTile<T>& tile, std::int64_t r, RowPartial<T>& partial, T* row, T* acc) {
    const T* bias = mask_.row(group_.state[r]);
    const RowMax<T> top = engine_.kernels.score_row(row, tile.count, group_.beta, bias, row);
    if (mask_.visible() == 0) {
      std::fill(row, row + tile.logical, T{0});
      return;
    }
    if (kept_.data != nullptr) {
      std::copy_n(row, tile.count,
                  kept_.data + group_.output(r, engine_.heads) * kept_.row_stride + tile.begin);
    }
    if (wants_.index && (partial.largest_index < 0 || top.max > partial.max)) {
      partial.largest_index = tile.begin + first_largest(row, tile.count, top.max, bias);
    }
    if (top.max > partial.max) {
      rescale(partial, top.max, acc);
      partial.max = top.max;
    }
    const T shift = partial.max == -std::numeric_limits<T>::infinity() ? T{0} : partial.max;
    const auto exp_row = wants_.moment ? engine_.kernels.exp_moment_row : engine_.kernels.exp_row;
    const RowSums<T> sums = exp_row(tile.logical, shift, row);
    partial.sum += sums.sum;
    partial.moment += sums.moment;
    partial.visible += mask_.visible();
    if (wants_.norms) add_norms(tile, bias, partial);
  }

  void rescale(RowPartial<T>& partial, T max, T* acc) {
    if (partial.max == -std::numeric_limits<T>::infinity()) return;  // all sums are 0, or NaN
    const T down = partial.max - max;
    const auto scale = static_cast<T>(std::exp(static_cast<double>(down)));
    // 0 * inf would be NaN; where the scale vanished the old sums did, too.
    partial.moment =
        scale == 0 ? partial.moment * scale : (partial.moment + partial.sum * down) * scale;
    partial.sum *= scale;
    engine_.kernels.scale_row(engine_.padded_value_depth, scale, acc);
  }

  void add_norms(const StoredTile<T>& tile, const T* bias, RowPartial<T>& partial) {
    if (!largest_norm_known_) {
      largest_norm_ = 0;
      for (std::int64_t s = 0; s < tile.count; ++s) {
        const bool visible = bias == nullptr || bias[s] != -std::numeric_limits<T>::infinity();
        if (visible && tile.norms[s] > largest_norm_) largest_norm_ = tile.norms[s];
      }
      largest_norm_known_ = !engine_.mask_per_state;
    }
    if (largest_norm_ > partial.max_square_norm) partial.max_square_norm = largest_norm_;
  }

  void add_values(const StoredTile<T>& tile, T* acc) {
    const PatternView& view = engine_.values();
    const std::int64_t first = group_.place.stored_begin + tile.begin;
    Product<T> g;
    g.rows = group_.count;
    g.width = engine_.padded_value_depth;
    g.depth = tile.count;
    g.a = similarity_;
    g.a_row = kTile;
    g.c = acc;
    g.c_row = engine_.padded_value_depth;
    if (view.dtype == DType::kBF16 && group_.count <= FewRowsProduct<T>::kMostRows &&
        g.width == engine_.value_depth && !engine_.masked) {
      g.b_bf16 = pattern_address(view, first, group_.head);
      g.b_depth = view.row_stride;
      g.ask_ahead = view.row_stride == engine_.value_depth;
      engine_.kernels.accumulate_bf16(g);
      return;
    }
    const PatternRows<T> values =
        load_rows(engine_, view, first, group_.head, tile.count, scratch_.value_rows);
    g.b = values.data;
    g.b_depth = values.stride;
    g.ask_ahead = values.data == pattern_address(view, first, group_.head) &&
                  view.row_stride == engine_.value_depth;
    if (!engine_.masked ||
        all_finite(values.data, values.stride, tile.count, engine_.value_depth)) {
      engine_.kernels.accumulate(g);
      return;
    }
    // A weight of 0 times NaN is NaN: blocked patterns are left out one by one.
    g.rows = g.depth = 1;
    for (std::int64_t r = 0; r < group_.count; ++r) {
      const T* bias = mask_.row(group_.state[r]);
      for (std::int64_t s = 0; s < tile.count; ++s) {
        if (bias[s] == -std::numeric_limits<T>::infinity()) continue;
        g.a = similarity_ + r * kTile + s;
        g.b = values.data + s * values.stride;
        g.c = acc + r * g.c_row;
        engine_.kernels.accumulate(g);
      }
    }
  }

  const Engine<T>& engine_;
  const Wants wants_;
  const KeptScores<T> kept_;
  const RowGroup<T>& group_;
  Scratch<T>& scratch_;
  TileMask<T> mask_;
  T* similarity_;
  T largest_norm_ = 0;  ///< square norm, of the tile's patterns that a row sees
  bool largest_norm_known_ = false;
};

const auto kKeepAll = [](std::int64_t) { return true; };

/// Folds every item's blocks; finish(group, r, partial, acc) for every row, once, on any thread.
template <class T, class Finish>
class SoftmaxPass {
 public:
  SoftmaxPass(const Engine<T>& engine, const Wants& wants, const KeptScores<T>& kept,
              const Finish& finish)
      : engine_(engine), wants_(wants), kept_(kept), finish_(finish) {}

  void run() {
    const Plan plan = make_plan(engine_);
    if (plan.split_blocks) {
      for (const Item& item : plan.items) fold_apart(item);
      return;
    }
    run_balanced(
        engine_.call.executor, static_cast<std::int64_t>(plan.items.size()),
        [&](std::int64_t i) { return item_cost(engine_, plan.items[static_cast<std::size_t>(i)]); },
        [&](std::int64_t i) { fold_here(plan.items[static_cast<std::size_t>(i)]); });
  }

 private:
  /// All blocks of an item, one after the other.
  void fold_here(const Item& item) {
    Scratch<T>& scratch = thread_scratch<T>();
    RowGroup<T> group;
    load_group(engine_, item, kKeepAll, scratch, group);
    if (group.count == 0) return;
    BlockFolder<T> folder(engine_, wants_, kept_, group, scratch);
    const std::int64_t elements = group.count * engine_.padded_value_depth;
    scratch.totals.assign(static_cast<std::size_t>(group.count), RowPartial<T>());
    scratch.partials.resize(static_cast<std::size_t>(group.count));
    T* total = scratch.total.need(elements);
    T* acc = scratch.acc.need(elements);
    if (item.num_stored == 0) std::fill(total, total + elements, T{0});
    for (std::int64_t s = 0; s < item.num_stored;) {
      const std::int64_t end = s + std::min(engine_.call.block_size, item.num_stored - s);
      folder.fold(s, end, scratch.partials.data(), acc);
      merge_rows(group.count, scratch.partials.data(), acc, scratch.totals.data(), total, s == 0);
      s = end;
    }
    finish_rows(group, scratch.totals.data(), total);
  }

  /// Blocks of one item on all threads, in waves that bound the memory, then merged in order.
  void fold_apart(const Item& item) {
    const std::int64_t rows = item.end - item.begin;
    const std::int64_t elements = rows * engine_.padded_value_depth;
    const std::int64_t blocks = num_blocks(item.num_stored, engine_.call.block_size);
    const std::int64_t budget = (std::int64_t{32} << 20) / static_cast<std::int64_t>(sizeof(T));
    const std::int64_t wave = std::clamp<std::int64_t>(
        budget / (elements + 16 * rows), 2 * engine_.call.executor.concurrency(), blocks + 1);
    Buffer<T> accs, total;
    accs.need(std::min(wave, blocks) * elements);
    total.need(elements);
    std::vector<RowPartial<T>> partials(static_cast<std::size_t>(std::min(wave, blocks) * rows));
    std::vector<RowPartial<T>> totals(static_cast<std::size_t>(rows));
    std::fill(total.data(), total.data() + elements, T{0});
    for (std::int64_t first = 0; first < blocks; first += wave) {
      const std::int64_t count = std::min(wave, blocks - first);
      engine_.call.executor.run(count, [&](std::int64_t i) {
        Scratch<T>& scratch = thread_scratch<T>();
        RowGroup<T> group;
        load_group(engine_, item, kKeepAll, scratch, group);
        if (group.count == 0) return;
        const std::int64_t begin = (first + i) * engine_.call.block_size;
        const std::int64_t end = begin + std::min(engine_.call.block_size, item.num_stored - begin);
        BlockFolder<T>(engine_, wants_, kept_, group, scratch)
            .fold(begin, end, partials.data() + i * rows, accs.data() + i * elements);
      });
      for (std::int64_t i = 0; i < count; ++i) {
        merge_rows(rows, partials.data() + i * rows, accs.data() + i * elements, totals.data(),
                   total.data(), first + i == 0);
      }
    }
    Scratch<T>& scratch = thread_scratch<T>();
    RowGroup<T> group;
    load_group(engine_, item, kKeepAll, scratch, group);
    finish_rows(group, totals.data(), total.data());
  }

  void merge_rows(std::int64_t rows, const RowPartial<T>* next, const T* next_acc,
                  RowPartial<T>* into, T* into_acc, bool first) {
    const std::int64_t stride = engine_.padded_value_depth;
    if (first) std::fill(into_acc, into_acc + rows * stride, T{0});
    for (std::int64_t r = 0; r < rows; ++r) {
      merge_acc(merge_row(into[r], next[r]), engine_.value_depth, next_acc + r * stride,
                into_acc + r * stride);
    }
  }

  void finish_rows(const RowGroup<T>& group, const RowPartial<T>* totals, const T* total) {
    for (std::int64_t r = 0; r < group.count; ++r) {
      finish_(group, r, totals[r], total + r * engine_.padded_value_depth);
    }
  }

  const Engine<T>& engine_;
  const Wants wants_;
  const KeptScores<T> kept_;
  const Finish& finish_;
};

/// p = exp(score - max) / sum for the rows of an item and the patterns [begin, end).
template <class T>
void write_association_unit(const Engine<T>& engine, const std::vector<RowPartial<T>>& partials,
                            const AssociationPlace<T>& places, const Item& item, std::int64_t begin,
                            std::int64_t end) {
  Scratch<T>& scratch = thread_scratch<T>();
  RowGroup<T> group;
  load_group(engine, item, kKeepAll, scratch, group);
  if (group.count == 0) return;
  TileMask<T> mask(engine, group.bag, group.head, group.place, scratch.bias);
  T* similarity = scratch.similarity.need(group.count * kTile);
  for (std::int64_t s = begin; s < end; s += kTile) {
    const StoredTile<T> tile = compare_tile(engine, group, s, end, false, scratch, similarity);
    mask.start(s, tile.count);
    for (std::int64_t r = 0; r < group.count; ++r) {
      T* row = similarity + r * kTile;
      const T* bias = mask.row(group.state[r]);
      engine.kernels.score_row(row, tile.count, group.beta, bias, row);
      const auto& partial = partials[static_cast<std::size_t>(group.output(r, engine.heads))];
      engine.kernels.association_row(tile.logical, partial.max, 1 / partial.sum, row);
      for (std::int64_t j = 0; bias != nullptr && j < tile.count; ++j) {
        if (bias[j] == -std::numeric_limits<T>::infinity()) row[j] = 0;
      }
      std::copy(row, row + tile.count, places.row(group, r) + s);
    }
  }
}

/// Second pass for the dense associations.
template <class T>
void write_associations(const Engine<T>& engine, const std::vector<RowPartial<T>>& partials,
                        const AssociationPlace<T>& places) {
  // Independent of each other: cut in both directions.
  constexpr std::int64_t kPatterns = 64 * kTile;
  struct Unit {
    Item item;
    std::int64_t begin, end;
  };
  std::vector<Unit> units;
  for (const Item& item : make_items(engine.call, kForwardRows)) {
    for (std::int64_t s = 0; s < item.num_stored; s += kPatterns) {
      units.push_back({item, s, std::min(item.num_stored, s + kPatterns)});
    }
  }
  run_balanced(
      engine.call.executor, static_cast<std::int64_t>(units.size()),
      [&](std::int64_t i) {
        Item item = units[static_cast<std::size_t>(i)].item;
        item.num_stored = std::min(item.num_stored, kPatterns);
        return item_cost(engine, item);
      },
      [&](std::int64_t i) {
        const Unit& unit = units[static_cast<std::size_t>(i)];
        write_association_unit(engine, partials, places, unit.item, unit.begin, unit.end);
      });
}

/// The largest few, and how many hold the mass, from the scores that the pass kept.
template <class T>
void write_distributions(const Engine<T>& engine, const AssociateOutputs<T>& out,
                         const std::vector<RowPartial<T>>& partials, const KeptScores<T>& kept) {
  const AssociateCall& call = engine.call;
  const auto pairs = static_cast<std::int64_t>(partials.size());
  // Many rows go side by side, the patterns of few rows do.
  const bool apart = pairs >= call.executor.concurrency();
  Executor& outer = apart ? call.executor : serial_executor();
  Executor& inner = apart ? serial_executor() : call.executor;
  outer.run(pairs, [&](std::int64_t pair) {
    if (!is_active(call, pair / engine.heads, pair % engine.heads)) return;
    const std::span<T> scores(kept.data + pair * kept.row_stride,
                              static_cast<std::size_t>(call.shape.num_stored));
    write_softmax_distribution(engine, inner, out, pair, partials[static_cast<std::size_t>(pair)],
                               scores, {});
  });
}

/// The same by a second pass over the patterns.
template <class T>
void collect_distributions(const Engine<T>& engine, const AssociateOutputs<T>& out,
                           const std::vector<RowPartial<T>>& partials) {
  CollectOptions options;
  options.keep = out.metastable_size.empty() ? CollectOptions::kLargest : CollectOptions::kAll;
  options.count = out.num_top;
  collect<T>(engine, options,
             [&](const RowGroup<T>& group, std::int64_t r, RowCandidates<T>& found) {
               const std::int64_t index = group.output(r, engine.heads);
               VisibleScores<T> visible;
               found.take(options, visible);
               // A task is a leaf: it must not wait for others while it uses the thread's scratch
               // memory.
               write_softmax_distribution(engine, serial_executor(), out, index,
                                          partials[static_cast<std::size_t>(index)],
                                          std::span<T>(visible.score), visible.index);
             });
}

}  // namespace

template <class T>
void simd_softmax_forward(const TileKernels<T>& kernels, const AssociateCall& call,
                          const AssociateOutputs<T>& out) {
  const Engine<T> engine(call, kernels);
  const bool distribution = wants_top(out) || !out.metastable_size.empty();
  const AssociationPlace<T> places(call, out);
  std::vector<RowPartial<T>> partials;
  if (distribution || places.wanted()) {
    partials.resize(static_cast<std::size_t>(call.shape.rows * engine.heads));
  }
  Wants wants;
  wants.norms = !out.energy.empty() && call.in.similarity == Similarity::kDot;
  wants.index = !out.largest_index.empty();
  wants.values = out.state.wanted();
  wants.moment = !out.entropy.empty();
  const auto finish = [&](const RowGroup<T>& group, std::int64_t r, const RowPartial<T>& partial,
                          const T* acc) {
    const std::int64_t index = group.output(r, engine.heads);
    const double norm = wants.norms
                            ? square_norm(call.in.states, group.place.state_begin + group.state[r],
                                          head_of(call.in.states, group.head))
                            : 0.0;
    write_row_scalars(out, index,
                      finish_row(partial, call.in.similarity, beta_of(call.in, group.head), norm,
                                 !out.energy.empty()));
    if (out.state.wanted()) {
      finish_state(partial, acc, engine.value_depth, out.state.row(group.row(r), group.head));
    }
    if (!partials.empty()) partials[static_cast<std::size_t>(index)] = partial;
  };
  Buffer<T> scores;
  KeptScores<T> kept;
  if (distribution && may_keep_scores(engine)) {
    kept.row_stride = call.shape.num_stored;
    const std::int64_t count = call.shape.rows * engine.heads * kept.row_stride;
    kept.data = scores.need(count);
    prefer_large_pages(kept.data, static_cast<std::size_t>(count) * sizeof(T));
  }
  SoftmaxPass<T, decltype(finish)>(engine, wants, kept, finish).run();
  if (places.wanted()) write_associations(engine, partials, places);
  if (kept.data != nullptr) {
    write_distributions(engine, out, partials, kept);
  } else if (distribution) {
    collect_distributions(engine, out, partials);
  }
}

template <class T>
void simd_softmax_partials(const TileKernels<T>& kernels, const AssociateCall& call,
                           std::int64_t first_index, std::vector<Partials<T>>& blocks) {
  const Engine<T> engine(call, kernels);
  Wants wants;
  wants.norms = wants.index = true;
  const std::vector<Item> items = make_items(call, kForwardRows);
  const auto num_items = static_cast<std::int64_t>(items.size());
  const std::int64_t stride = engine.padded_value_depth;
  const auto fold = [&](std::int64_t unit) {
    const Item& item = items[static_cast<std::size_t>(unit % num_items)];
    const std::int64_t begin = unit / num_items * call.block_size;
    Scratch<T>& scratch = thread_scratch<T>();
    RowGroup<T> group;
    load_group(engine, item, kKeepAll, scratch, group);
    const std::int64_t end = begin + std::min(call.block_size, item.num_stored - begin);
    if (group.count == 0 || end <= begin) return;
    scratch.partials.resize(static_cast<std::size_t>(group.count));
    T* acc = scratch.acc.need(group.count * stride);
    BlockFolder<T>(engine, wants, {}, group, scratch)
        .fold(begin, end, scratch.partials.data(), acc);
    Partials<T>& block = blocks[static_cast<std::size_t>(unit / num_items)];
    for (std::int64_t r = 0; r < group.count; ++r) {
      RowPartial<T> partial = scratch.partials[static_cast<std::size_t>(r)];
      if (partial.largest_index >= 0) partial.largest_index += first_index;
      const std::int64_t index = group.output(r, engine.heads);
      store_row(partial, index, block);
      std::copy(acc + r * stride, acc + r * stride + engine.value_depth,
                block.acc.begin() + index * block.depth);
    }
  };
  run_balanced(
      call.executor, num_items * static_cast<std::int64_t>(blocks.size()),
      [&](std::int64_t unit) {
        Item item = items[static_cast<std::size_t>(unit % num_items)];
        item.num_stored = std::min(item.num_stored, call.block_size);
        return item_cost(engine, item);
      },
      fold);
}

#define HOPFIELD_INSTANTIATE(T)                                                                  \
  template void simd_softmax_forward(const TileKernels<T>&, const AssociateCall&,                \
                                     const AssociateOutputs<T>&);                                \
  template void simd_softmax_partials(const TileKernels<T>&, const AssociateCall&, std::int64_t, \
                                      std::vector<Partials<T>>&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
