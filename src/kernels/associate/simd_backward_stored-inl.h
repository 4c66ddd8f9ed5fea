#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STORED_INL_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STORED_INL_H_

// Softmax, backward: the pass that gives the gradients of stored patterns and projections. Part of
// simd_backward.cc.

#include <cstdint>
#include <vector>

#include "kernels/associate/simd_backward_tiles-inl.h"

namespace hopfield::internal {

/// States whose contributions to a stored pattern are summed in one chain. The chains of different
/// spans, heads and bags are added in order.
constexpr std::int64_t kStateSpan = 16 * kGroupRows;

template <class T>
class StoredPass {
 public:
  StoredPass(const Engine<T>& engine, const Arrivals<T>& arrivals,
             const AssociateGradients<T>& gradients)
      : engine_(engine),
        arrivals_(arrivals),
        stored_(gradients.stored),
        values_(engine.call.shape.tied ? gradients.stored : gradients.projections),
        want_stored_(gradients.stored.wanted()),
        want_values_(arrivals.state && values_.wanted()),
        heads_apart_(engine.call.in.stored.heads == engine.heads &&
                     engine.values().heads == engine.heads) {}

  bool wanted() const { return want_stored_ || want_values_; }
  bool heads_apart() const { return heads_apart_; }

  void run() {
    make_targets();
    std::int64_t spans = 0;
    for (const Target& target : targets_)
      spans += static_cast<std::int64_t>(spans_of(target).size());
    const auto num_targets = static_cast<std::int64_t>(targets_.size());
    const std::int64_t wanted = 4 * static_cast<std::int64_t>(engine_.call.executor.concurrency());
    if (wanted > 4 && num_targets < wanted && spans > num_targets) {
      for (const Target& target : targets_) run_apart(target);
      return;
    }
    run_balanced(
        engine_.call.executor, num_targets,
        [&](std::int64_t i) { return target_cost(targets_[static_cast<std::size_t>(i)]); },
        [&](std::int64_t i) { run_here(targets_[static_cast<std::size_t>(i)]); });
  }

  // The steps of the pass, for the one that computes both kinds of gradients at once.

  /// A tile of stored patterns: of one bag, or seen by all; for one head, or for all.
  struct Target {
    std::int64_t bag = -1, head = -1;  ///< -1: all
    std::int64_t begin = 0, end = 0;   ///< within the bag
  };

  /// Sums over states, a row a pattern. Tied patterns get both kinds of gradients, but by different
  /// factors: the values' are kept apart until the end.
  struct Sums {
    T* stored = nullptr;
    std::int64_t stored_row = 0;
    T* values = nullptr;
    std::int64_t values_row = 0;
    T* along = nullptr;  ///< [kTile], cosine only
    /// [depth, kTile] instead of rows until the end, where depth fills half a vector at most.
    T* stored_across = nullptr;
    T* values_across = nullptr;
    T* part = nullptr;     ///< what has to be written at the end; null: nothing
    bool started = false;  ///< some group was added; nothing is written before
  };

  /// Sums of a target that one head and one span of states see: in the gradients themselves if
  /// their rows are whole vectors.
  Sums open(const Target& target, Scratch<T>& scratch) const {
    const bool in_place =
        engine_.padded_depth == engine_.depth && engine_.padded_value_depth == engine_.value_depth;
    if (!in_place) return open(target, scratch, scratch.total.need(sizes_of(target).part()));
    Sums sums = open(target, scratch, nullptr);
    const std::int64_t row = first_row(target);
    if (want_stored_) sums.stored = stored_.row(row, target.head);
    sums.stored_row = stored_.row_stride;
    if (want_values_ && !engine_.call.shape.tied) {
      sums.values = values_.row(row, target.head);
      sums.values_row = values_.row_stride;
    }
    return sums;
  }

  /// Adds what a group contributes: ds is weighed already.
  void add_group(const GradientGroup<T>& group, const StoredTile<T>& tile,
                 const PatternRows<T>& patterns, const TileGradients<T>& tiles, Sums& sums) const {
    const Similarity similarity = engine_.call.in.similarity;
    const bool first = !sums.started;
    sums.started = true;
    if (want_values_ && sums.values_across != nullptr) {
      add_across(tile, group.rows.count, group.cotangents, engine_.value_depth, tiles.p(), first,
                 sums.values_across);
    } else if (want_values_) {
      Product<T> g = transposed(tile, group.rows.count, tiles.p(), first);
      g.width = g.b_depth = engine_.padded_value_depth;
      g.b = group.cotangents;
      g.c = sums.values;
      g.c_row = sums.values_row;
      accumulate_visible(engine_, engine_.kernels.accumulate, g);
    }
    if (!want_stored_) return;
    if (sums.stored_across != nullptr) {
      return add_across(tile, group.rows.count, group.rows.states, engine_.depth, tiles.ds(), first,
                        sums.stored_across);
    }
    Product<T> g = transposed(tile, group.rows.count, tiles.ds(), first);
    g.width = g.b_depth = engine_.padded_depth;
    g.b = group.rows.states;
    g.c = sums.stored;
    g.c_row = sums.stored_row;
    g.center = patterns.data;
    g.center_row = patterns.stride;
    accumulate_visible(engine_,
                       similarity == Similarity::kNegativeSquaredDistance
                           ? engine_.kernels.accumulate_difference
                           : engine_.kernels.accumulate,
                       g);
  }

  /// From sums over scores to gradients, after the last group.
  void finish(std::int64_t head, const StoredTile<T>& tile, const PatternRows<T>& patterns,
              const Sums& sums) const {
    if (!sums.started) return zero_sums(tile.count, sums);
    if (sums.stored_across != nullptr) {
      turn(tile.count, engine_.depth, sums.stored_across, sums.stored, sums.stored_row);
    }
    if (sums.values_across != nullptr) {
      turn(tile.count, engine_.value_depth, sums.values_across, sums.values, sums.values_row);
    }
    if (want_stored_) scale_stored(head, tile, patterns, sums);
  }

  /// Writes a target's gradients, which `open` without a part began.
  void close(const Target& target, const Sums& sums) const {
    if (sums.part != nullptr) write(target, sizes_of(target), sums.part);
  }

 private:
  void make_targets() {
    const AssociateCall& call = engine_.call;
    const std::int64_t bags = call.shape.stored_shared ? 1 : call.shape.num_bags;
    const std::int64_t heads = heads_apart_ ? engine_.heads : 1;
    for (std::int64_t b = 0; b < bags; ++b) {
      const std::int64_t count =
          call.shape.stored_shared ? call.shape.num_stored : locate_bag(call, b).stored_count;
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t s = 0; s < count; s += kTile) {
          targets_.push_back({call.shape.stored_shared ? -1 : b, heads_apart_ ? h : -1, s,
                              std::min(count, s + kTile)});
        }
      }
    }
  }

  /// The states that see a target, in the order of summation.
  std::vector<Item> spans_of(const Target& target) const {
    std::vector<Item> spans;
    const std::int64_t first_bag = target.bag < 0 ? 0 : target.bag;
    const std::int64_t end_bag = target.bag < 0 ? engine_.call.shape.num_bags : target.bag + 1;
    const std::int64_t first_head = target.head < 0 ? 0 : target.head;
    const std::int64_t end_head = target.head < 0 ? engine_.heads : target.head + 1;
    for (std::int64_t b = first_bag; b < end_bag; ++b) {
      const BagPlace place = locate_bag(engine_.call, b);
      for (std::int64_t h = first_head; h < end_head; ++h) {
        for (std::int64_t t = 0; t < place.state_count; t += kStateSpan) {
          spans.push_back(
              {b, h, t, std::min(place.state_count, t + kStateSpan), place.stored_count});
        }
      }
    }
    return spans;
  }

  std::int64_t target_cost(const Target& target) const {
    std::int64_t rows = 0;
    if (target.bag < 0) {
      rows = engine_.call.shape.rows;
    } else {
      rows = locate_bag(engine_.call, target.bag).state_count;
    }
    return (rows * (target.head < 0 ? engine_.heads : 1) + 4) * (target.end - target.begin + 4) *
           (engine_.depth + engine_.value_depth + 8) * 2;
  }

  std::int64_t stored_stride() const { return want_stored_ ? engine_.padded_depth : 0; }
  std::int64_t value_stride() const {
    return want_values_ && !engine_.call.shape.tied ? engine_.padded_value_depth : 0;
  }

  /// Elements of a target's sums: [patterns, stride] a head, stored patterns first, then values.
  struct Sizes {
    std::int64_t stored, values;             ///< of one head
    std::int64_t stored_heads, value_heads;  ///< whose sums are kept apart
    std::int64_t part() const { return stored + values; }
    std::int64_t totals() const { return stored * stored_heads + values * value_heads; }
  };
  Sizes sizes_of(const Target& target) const {
    const std::int64_t patterns = target.end - target.begin;
    return {patterns * stored_stride(), patterns * value_stride(),
            heads_apart_ ? 1 : engine_.call.in.stored.heads,
            heads_apart_ ? 1 : engine_.values().heads};
  }

  /// Whether one span of one head gives all of the target's gradients.
  bool is_whole(const Target& target, const std::vector<Item>& spans) const {
    return target.head >= 0 && spans.size() == 1;
  }

  /// Sums [patterns, stride], stored ones first, then values, as sizes_of says.
  Sums open(const Target& target, Scratch<T>& scratch, T* part) const {
    const Sizes sizes = sizes_of(target);
    Sums sums;
    sums.part = part;
    sums.stored = part;
    sums.stored_row = stored_stride();
    sums.values = part == nullptr ? nullptr : part + sizes.stored;
    sums.values_row = value_stride();
    if (want_values_ && engine_.call.shape.tied) {
      sums.values_row = engine_.padded_value_depth;
      sums.values = scratch.value_gradient.need(kTile * sums.values_row);
    }
    // Weights are the columns then; where some are blocked, accumulate_visible wants them as rows.
    const auto narrow = [&](std::int64_t depth) {
      return !engine_.masked && 2 * depth <= engine_.kernels.lanes;
    };
    if (want_values_ && narrow(engine_.value_depth)) {
      sums.values_across = scratch.values_across.need(engine_.value_depth * kTile);
    }
    if (want_stored_ && narrow(engine_.depth) &&
        engine_.call.in.similarity != Similarity::kNegativeSquaredDistance) {
      sums.stored_across = scratch.stored_across.need(engine_.depth * kTile);
    }
    sums.along = scratch.along.need(kTile);
    std::fill(sums.along, sums.along + kTile, T{0});
    return sums;
  }

  void run_here(const Target& target) {
    const Sizes sizes = sizes_of(target);
    Scratch<T>& scratch = thread_scratch<T>();
    const std::vector<Item> spans = spans_of(target);
    if (is_whole(target, spans)) {
      Sums sums = open(target, scratch);
      run_span(target, spans.front(), scratch, sums);
      return close(target, sums);
    }
    std::vector<T> totals(static_cast<std::size_t>(sizes.totals()));
    T* part = scratch.total.need(sizes.part());
    for (const Item& span : spans) {
      Sums sums = open(target, scratch, part);
      run_span(target, span, scratch, sums);
      add(span.head, sizes, part, totals);
    }
    write(target, sizes, totals.data());
  }

  void run_apart(const Target& target) {
    const Sizes sizes = sizes_of(target);
    const std::vector<Item> spans = spans_of(target);
    if (is_whole(target, spans)) return run_here(target);  // the same bits
    std::vector<T> totals(static_cast<std::size_t>(sizes.totals()));
    const auto count = static_cast<std::int64_t>(spans.size());
    const std::int64_t wave = std::min(
        count,
        std::max<std::int64_t>(2 * engine_.call.executor.concurrency(),
                               (std::int64_t{8} << 20) / std::max<std::int64_t>(sizes.part(), 1)));
    Buffer<T> parts;
    parts.need(wave * sizes.part());
    for (std::int64_t first = 0; first < count; first += wave) {
      const std::int64_t now = std::min(wave, count - first);
      engine_.call.executor.run(now, [&](std::int64_t i) {
        Scratch<T>& scratch = thread_scratch<T>();
        Sums sums = open(target, scratch, parts.data() + i * sizes.part());
        run_span(target, spans[static_cast<std::size_t>(first + i)], scratch, sums);
      });
      for (std::int64_t i = 0; i < now; ++i) {
        add(spans[static_cast<std::size_t>(first + i)].head, sizes, parts.data() + i * sizes.part(),
            totals);
      }
    }
    write(target, sizes, totals.data());
  }

  void add(std::int64_t head, const Sizes& sizes, const T* part, std::vector<T>& totals) const {
    T* stored =
        totals.data() + head_of(engine_.call.in.stored, heads_apart_ ? 0 : head) * sizes.stored;
    T* values = totals.data() + sizes.stored_heads * sizes.stored +
                head_of(engine_.values(), heads_apart_ ? 0 : head) * sizes.values;
    for (std::int64_t i = 0; i < sizes.stored; ++i) stored[i] += part[i];
    for (std::int64_t i = 0; i < sizes.values; ++i) values[i] += part[sizes.stored + i];
  }

  void write(const Target& target, const Sizes& sizes, const T* totals) const {
    const std::int64_t begin = first_row(target);
    const auto copy = [&](const MutablePatternView<T>& to, const T* from, std::int64_t stride,
                          std::int64_t size) {
      for (std::int64_t h = 0; h < (heads_apart_ ? 1 : to.heads); ++h) {
        for (std::int64_t s = 0; s < target.end - target.begin; ++s) {
          const T* row = from + h * size + s * stride;
          std::copy(row, row + to.depth, to.row(begin + s, heads_apart_ ? target.head : h));
        }
      }
    };
    if (want_stored_) copy(stored_, totals, stored_stride(), sizes.stored);
    if (sizes.values > 0) {
      copy(values_, totals + sizes.stored_heads * sizes.stored, value_stride(), sizes.values);
    }
  }

  std::int64_t first_row(const Target& target) const {
    return target.begin + (target.bag < 0 ? 0 : locate_bag(engine_.call, target.bag).stored_begin);
  }

  /// What the states of a span contribute to a target.
  void run_span(const Target& target, const Item& span, Scratch<T>& scratch, Sums& sums) {
    const BagPlace place = locate_bag(engine_.call, span.bag);
    const GradientTile<T> tile =
        load_gradient_tile(engine_, arrivals_, place, span.head, target.begin, target.end,
                           span.end - span.begin, scratch);
    PatternRows<T> patterns;
    if (want_stored_ && engine_.call.in.similarity != Similarity::kDot) {
      patterns = load_tile_rows(engine_, place, span.head, tile.stored, scratch);
    }
    for (std::int64_t t = span.begin; t < span.end; t += kGroupRows) {
      GradientGroup<T> group;
      const Item item = {span.bag, span.head, t, std::min(span.end, t + kGroupRows),
                         span.num_stored};
      load_gradient_group(engine_, arrivals_, item, scratch, group);
      if (group.rows.count == 0) continue;
      TileGradients<T> tiles(engine_, arrivals_, group, scratch);
      tiles.compute(tile);
      if (want_stored_ && engine_.call.in.similarity == Similarity::kCosine) {
        tiles.weigh_cosine(tile.stored, sums.along);
      }
      add_group(group, tile.stored, patterns, tiles, sums);
    }
    finish(span.head, tile.stored, patterns, sums);
  }

  Product<T> transposed(const StoredTile<T>& tile, std::int64_t states, const T* weights,
                        bool first) const {
    Product<T> g;
    g.rows = tile.count;
    g.depth = states;
    g.a = weights;
    g.a_row = 1;
    g.a_depth = kTile;
    g.fresh = first;
    return g;
  }

  /// The same sums with the roles exchanged: a vector holds patterns, not components.
  void add_across(const StoredTile<T>& tile, std::int64_t states, const T* rows, std::int64_t depth,
                  const T* weights, bool first, T* across) const {
    Product<T> g;
    g.rows = depth;
    g.width = tile.padded;
    g.depth = states;
    g.a = rows;
    g.a_row = 1;
    g.a_depth = engine_.padded(depth);
    g.b = weights;
    g.b_depth = kTile;
    g.c = across;
    g.c_row = kTile;
    g.fresh = first;
    engine_.kernels.accumulate(g);
  }

  void turn(std::int64_t count, std::int64_t depth, const T* across, T* rows,
            std::int64_t row) const {
    for (std::int64_t s = 0; s < count; ++s) {
      for (std::int64_t k = 0; k < depth; ++k) rows[s * row + k] = across[k * kTile + s];
      std::fill(rows + s * row + depth, rows + s * row + engine_.padded(depth), T{0});
    }
  }

  void zero_sums(std::int64_t count, const Sums& sums) const {
    for (std::int64_t s = 0; s < count; ++s) {
      if (want_stored_) std::fill_n(sums.stored + s * sums.stored_row, engine_.padded_depth, T{0});
      if (want_values_) {
        std::fill_n(sums.values + s * sums.values_row, engine_.padded_value_depth, T{0});
      }
    }
  }

  /// From sums over scores to gradients of the patterns.
  void scale_stored(std::int64_t head, const StoredTile<T>& tile, const PatternRows<T>& patterns,
                    const Sums& sums) const {
    const Similarity similarity = engine_.call.in.similarity;
    const bool tied = want_values_ && engine_.call.shape.tied;
    const double beta = beta_of(engine_.call.in, head);
    const double scale = similarity == Similarity::kNegativeSquaredDistance ? 2 * beta : beta;
    for (std::int64_t s = 0; s < tile.count; ++s) {
      T* const row = sums.stored + s * sums.stored_row;
      double own = 0;
      if (sums.along[s] != 0) {  // cosine; stays 0 for patterns without direction and hidden ones
        const auto norm = static_cast<double>(tile.norms[s]);
        own = -beta * static_cast<double>(sums.along[s]) / (norm * norm);
      }
      if (own == 0 && !tied) {
        engine_.kernels.scale_row(engine_.depth, static_cast<T>(scale), row);
        continue;
      }
      for (std::int64_t k = 0; k < engine_.depth; ++k) {
        double x = scale * static_cast<double>(row[k]);
        if (own != 0) x += own * static_cast<double>(patterns.data[s * patterns.stride + k]);
        if (tied) x += static_cast<double>(sums.values[s * sums.values_row + k]);
        row[k] = static_cast<T>(x);
      }
    }
  }

  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  const MutablePatternView<T>& stored_;
  const MutablePatternView<T>& values_;
  bool want_stored_, want_values_;
  bool heads_apart_;  ///< no pattern is shared by heads
  std::vector<Target> targets_;
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STORED_INL_H_
